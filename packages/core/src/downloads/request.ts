import { messageOf } from '../caught.js';

/** The answer to a request for the rest of a file. */
export interface FileResponse {
  /** Offset of the first byte in the answer; 0 if the server does not resume. */
  readonly start: number;
  /** Declared size of the whole file in bytes; undefined if the server does not declare it. */
  readonly total: number | undefined;
  readonly validator: string | undefined;
  /** Whether the file is already complete. */
  readonly isComplete: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): void;
}

/** Number of parts in which a connection's time without data passes. */
const PARTS = 10;

/** Requests a file from an offset on. Closes a connection without a byte for `stallTimeout` milliseconds. */
export async function requestFrom(
  url: string,
  start: number,
  validator: string | undefined,
  stallTimeout: number,
  signal: AbortSignal | undefined,
): Promise<FileResponse> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const watch = watchForStall(stallTimeout, () =>
    controller.abort(new Error(`no data for ${stallTimeout / 1000} seconds`)),
  );
  const close = () => {
    watch.stop();
    signal?.removeEventListener('abort', abort);
    controller.abort();
  };
  try {
    const response = await fetch(url, {
      headers: {
        // Compression would change lengths and offsets.
        'accept-encoding': 'identity',
        ...(start > 0
          ? { range: `bytes=${start}-`, ...(validator === undefined ? {} : { 'if-range': validator }) }
          : {}),
      },
      signal: controller.signal,
    });
    const found = interpret(response, start);
    return { ...found, chunks: chunksOf(response, watch.sawData), close };
  } catch (error) {
    close();
    throw readable(error, controller.signal);
  }

  async function* chunksOf(response: Response, onChunk: () => void): AsyncGenerator<Uint8Array> {
    try {
      const reader = response.body?.getReader();
      for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
        onChunk();
        yield next.value;
      }
    } catch (error) {
      throw readable(error, controller.signal);
    }
  }
}

/**
 * Calls `onStall` once `milliseconds` have passed without a call of `sawData`. They pass in parts, after each of which the
 * thread reads what has arrived: of the time in which it is busy, or does not run at all, at most one part counts.
 */
function watchForStall(milliseconds: number, onStall: () => void): { sawData(): void; stop(): void } {
  let left = 0;
  const sawData = () => {
    left = PARTS + 1;
  };
  sawData();
  const timer = setInterval(() => {
    if (--left === 0) onStall();
  }, milliseconds / PARTS);
  return { sawData, stop: () => clearInterval(timer) };
}

function interpret(response: Response, start: number): Omit<FileResponse, 'chunks' | 'close'> {
  const { status, headers } = response;
  // A weak ETag does not guarantee equal bytes.
  const tag = headers.get('etag');
  const validator = (tag?.startsWith('W/') ? undefined : tag) ?? headers.get('last-modified') ?? undefined;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  if (status === 206) {
    if (Number(range?.[1]) !== start) throw new Error(`the server sent another part than from byte ${start} on`);
    const total = range?.[2] === '*' ? undefined : Number(range?.[2]);
    return { start, total, validator, isComplete: false };
  }
  if (status === 416) {
    const complete = /^bytes \*\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
    if (Number(complete) === start) return { start, total: start, validator, isComplete: true };
  }
  if (status !== 200) throw new Error(`the server answered ${status} ${response.statusText}`);
  const length = headers.get('content-length');
  return { start: 0, total: length === null ? undefined : Number(length), validator, isComplete: false };
}

/** The cause behind `fetch failed`. */
function readable(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted && signal.reason instanceof Error && signal.reason.name !== 'AbortError') return signal.reason;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
  const message = messageOf(error);
  return new Error(cause === undefined ? message : `${message}: ${cause}`);
}
