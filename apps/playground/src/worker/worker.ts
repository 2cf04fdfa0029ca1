import { standardCatalog } from '@localgrad/catalog';
import { messageOf } from '@localgrad/core';
import type { Suggestion } from '../settings/completion.js';
import type { Reply, Request } from './protocol.js';
import { Session } from './session.js';

const post = (reply: Reply) => {
  if (reply.type === 'file') postMessage(reply, { transfer: [reply.content.buffer] });
  else postMessage(reply);
};
const session = new Session(post);
/** Requests run one after the other; training runs beside them. */
let pending: Promise<void> = Promise.resolve();
/** The newest `open`: earlier ones that still wait are outdated. */
let newest: Request | undefined;

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.type === 'open') newest = data;
  pending = pending
    .then(() => handle(data))
    .catch((error: unknown) => {
      post({ type: 'error', message: messageOf(error) });
      post({ type: 'status', status: 'failed' });
    });
});

async function handle(request: Request): Promise<void> {
  switch (request.type) {
    case 'names':
      return post({ type: 'names', names: allNames() });
    case 'open':
      return request === newest ? session.open(request.settings, request.index, request.images) : undefined;
    case 'start':
    case 'resume':
      return session.start();
    case 'pause':
      return session.pause();
    case 'reset':
      return session.reset();
    case 'export':
      return session.export(request.format);
  }
}

function allNames(): Suggestion[] {
  const kinds = { methods: 'method', decorators: 'decorator', heads: 'head' } as const;
  return (['methods', 'decorators', 'heads'] as const).flatMap((table) =>
    standardCatalog.names(table).map((name) => {
      const { description = '', options = [] } = standardCatalog.entry(table, name) ?? {};
      return { name, kind: kinds[table], description, options };
    }),
  );
}
