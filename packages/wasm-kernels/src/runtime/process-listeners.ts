const events = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Calls a function, and removes the fatal-error handlers that it installs on the process.
 *
 * The Emscripten start-up code of the TensorFlow.js wasm builds installs handlers that rethrow: any later error then ends
 * the program with exit code 7, after printing a hundred kilobytes of minified source.
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

/** Whether a handler is Emscripten's; others that are installed meanwhile stay. */
function isFromEmscripten(listener: unknown): boolean {
  return /^function\s*\((ex|reason)\)\s*\{\s*(if\s*\(!\(ex instanceof ExitStatus\)\)\s*\{?\s*)?throw (ex|reason)/.test(
    String(listener),
  );
}
