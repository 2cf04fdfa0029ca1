import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A local server with configurable behavior per request. */
export interface TestServer {
  readonly url: string;
  /** Requested ranges, in order; undefined for the whole file. */
  readonly ranges: (string | undefined)[];
  /** Answers to the next requests; the last one is repeated. */
  answer(...handlers: Handler[]): void;
  close(): Promise<void>;
}

export async function startServer(): Promise<TestServer> {
  const ranges: (string | undefined)[] = [];
  let handlers: Handler[] = [];
  const server: Server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
    handler?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    ranges,
    answer: (...next) => {
      handlers = next;
      ranges.length = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Serves content with correct ranges; `tag` is its ETag. */
export function serve(content: Uint8Array, tag = '"1"'): Handler {
  return (request, response) => {
    const start = startOf(request, tag, content);
    const headers = { etag: tag, 'content-length': content.length - start };
    if (start === 0) response.writeHead(200, headers);
    else
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
      });
    response.end(content.subarray(start));
  };
}

/** Sends `bytes` of the requested content, then drops the connection or waits forever. */
export function sendPart(content: Uint8Array, bytes: number, then: 'drop' | 'stall', tag = '"1"'): Handler {
  return (request, response) => {
    const start = startOf(request, tag, content);
    const headers = { etag: tag, 'content-length': content.length - start };
    if (start === 0) response.writeHead(200, headers);
    else
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
      });
    response.write(content.subarray(start, start + bytes), () => {
      // A client that receives the end discards what it has not read yet: a busy one needs time.
      if (then === 'drop') setTimeout(() => response.socket?.end(), 300);
    });
  };
}

function startOf(request: IncomingMessage, tag: string, content: Uint8Array): number {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const condition = request.headers['if-range'];
  return (condition === undefined || condition === tag) && start < content.length ? start : 0;
}
