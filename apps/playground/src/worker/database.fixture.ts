/** A stand-in for `indexedDB` with what the store uses, in memory. `failsWith` aborts transactions after their requests succeeded. */
export function memoryDatabase({ failsWith }: { readonly failsWith?: () => Error | undefined } = {}) {
  const tables = new Map<string, Map<unknown, unknown>>();
  const succeed = <T>(result: T) => {
    const request: { result: T; onsuccess?: () => void; onupgradeneeded?: () => void } = { result };
    queueMicrotask(() => {
      request.onupgradeneeded?.();
      request.onsuccess?.();
    });
    return request;
  };
  const table = (name: string) => {
    const rows = tables.get(name) ?? new Map();
    tables.set(name, rows);
    return rows;
  };
  return {
    open: () =>
      succeed({
        createObjectStore: (name: string) => void table(name),
        close: () => {},
        transaction: (name: string) => {
          const rows = table(name);
          const error = failsWith?.();
          const transaction: { error?: Error; oncomplete?: () => void; onabort?: () => void } = {};
          setTimeout(() => {
            if (error === undefined) transaction.oncomplete?.();
            else transaction.onabort?.();
          });
          const change = (act: () => void) => {
            if (error === undefined) act();
            return succeed(undefined);
          };
          return Object.assign(transaction, {
            ...(error === undefined ? {} : { error }),
            objectStore: () => ({
              get: (key: unknown) => succeed(structuredClone(rows.get(key))),
              put: (value: unknown, key: unknown) => change(() => rows.set(key, structuredClone(value))),
              delete: (key: unknown) => change(() => rows.delete(key)),
            }),
          });
        },
      }),
  };
}
