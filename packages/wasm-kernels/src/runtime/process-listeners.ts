const events = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs something, and takes off the process the handlers of fatal errors that it leaves there.
 *
 * Emscripten's start-up code in TensorFlow.js' wasm builds installs handlers that throw again: any later error of the
 * program then ends it with exit code 7, behind a hundred kilobytes of minified source.
 */
export async function withoutFatalErrorHandlers<T>(run: () => Promise<T>): Promise<T> {
  if (typeof process === 'undefined' || typeof process.listeners !== 'function') return run();
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  try {
    return await run();
  } finally {
    events.forEach((event, index) => {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (before[index]?.has(listener) === false && isFromEmscripten(listener)) process.off(event, listener);
      }
    });
  }
}

/** Somebody else's handler, installed meanwhile, stays. */
function isFromEmscripten(listener: unknown): boolean {
  return /^function\s*\((ex|reason)\)\s*\{\s*(if\s*\(!\(ex instanceof ExitStatus\)\)\s*\{?\s*)?throw (ex|reason)/.test(
    String(listener),
  );
}
