/**
 * Runs `work` on 0, 1, … up to `count` with at most `workers` at once and at most `ahead` results waiting, and yields the
 * results in order.
 */
export async function* inOrder<T>(
  count: number,
  workers: number,
  ahead: number,
  work: (index: number) => Promise<T>,
): AsyncGenerator<T> {
  const limit = Math.max(workers, 1);
  const pending: Promise<T>[] = [];
  let running = 0;
  const waiting: (() => void)[] = [];
  const start = async (index: number): Promise<T> => {
    if (running < limit) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work(index);
    } finally {
      // Starts the next one in place of this one.
      const resume = waiting.shift();
      if (resume === undefined) running--;
      else resume();
    }
  };
  let next = 0;
  for (let index = 0; index < count; index++) {
    while (next < count && next < index + Math.max(ahead, 1)) {
      const promise = start(next++);
      // The error is thrown when the result is consumed.
      promise.catch(() => {});
      pending.push(promise);
    }
    const result = pending.shift();
    if (result !== undefined) yield await result;
  }
}
