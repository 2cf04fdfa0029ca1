import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Pictures } from '../pictures/use-pictures.js';
import type { Suggestion } from '../settings/completion.js';
import type { Settings } from '../settings/settings.js';
import type { Reply, Request } from '../worker/protocol.js';
import { download } from './download.js';
import { nextView, openingView, type RunView } from './view.js';

/** Milliseconds without typing after which a changed run is opened. */
const typingDelay = 250;

export interface Run {
  readonly view: RunView;
  readonly names: readonly Suggestion[];
  send(request: Request): void;
}

/** A run in a worker of its own, if there is one of this index. It is opened again when its settings or pictures change. */
export function useRun(settings: Settings, index: number, { images, isReady }: Pictures): Run {
  const isUsed = index < settings.runs.length;
  const [view, setView] = useState<RunView>(openingView);
  const [names, setNames] = useState<readonly Suggestion[]>([]);
  const worker = useRef<Worker>();
  const isOpened = useRef(false);

  useEffect(() => {
    if (!isUsed) return;
    const created = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });
    created.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.type === 'names') setNames(data.names);
      else if (data.type === 'file') download(data.name, data.content);
      else setView((before) => nextView(before, data));
    };
    created.onerror = ({ message }) =>
      setView((before) => ({ ...before, status: 'failed', error: message || 'The worker could not be started.' }));
    created.postMessage({ type: 'names' } satisfies Request);
    worker.current = created;
    return () => {
      created.terminate();
      worker.current = undefined;
      isOpened.current = false;
      setView(openingView);
    };
  }, [isUsed]);

  // One text for all that the run depends on: another run's method is no reason to open this one again.
  const { shared, runs } = settings;
  const wanted = JSON.stringify([shared, runs[index], runs.length]);
  useEffect(() => {
    if (!isUsed || !isReady) return;
    const request: Request = { type: 'open', settings, index, images };
    const open = () => {
      isOpened.current = true;
      worker.current?.postMessage(request);
    };
    const timer = setTimeout(open, isOpened.current ? typingDelay : 0);
    return () => clearTimeout(timer);
  }, [wanted, images, isUsed, isReady]);

  const send = useCallback((request: Request) => worker.current?.postMessage(request), []);
  return { view, names, send };
}
