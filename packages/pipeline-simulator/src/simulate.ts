/** Work of one worker, which runs its tasks in order. */
export interface Task {
  /** Unique over all workers. */
  readonly id: string;
  /** Duration. */
  readonly seconds: number;
  /** What has to be there before it starts. */
  readonly needs: readonly Need[];
}

/** The end of another task, or the arrival of a message that it sends. */
export interface Need {
  /** ID of the task. */
  readonly task: string;
  /** Size of the message; absent if nothing is sent. Tasks of the same worker send nothing. */
  readonly bytes?: number;
}

/** Connections between workers: one in each direction, each for one message at a time. */
export interface Network {
  readonly bandwidth: number;
  readonly latency: number;
}

/** When each task ran. */
export interface Timeline {
  /** End of each task, in seconds from the start. */
  readonly ends: ReadonlyMap<string, number>;
  /** Bytes sent over all connections. */
  readonly sentBytes: number;
}

/**
 * Runs the tasks of all workers: a task starts as soon as its worker is free and everything that it needs is there.
 *
 * @throws RangeError if workers wait for each other forever
 */
export function simulate(workers: readonly (readonly Task[])[], { bandwidth, latency }: Network): Timeline {
  const ends = new Map<string, number>();
  const workerOf = new Map(workers.flatMap((tasks, worker) => tasks.map(({ id }) => [id, worker] as const)));
  const busyUntil = new Map<string, number>();
  const next = workers.map(() => 0);
  const free = workers.map(() => 0);
  const waiting = new Map<string, number[]>();
  let sentBytes = 0;

  const arrival = ({ task, bytes }: Need, worker: number): number => {
    const end = ends.get(task) ?? 0;
    const sender = workerOf.get(task);
    if (bytes === undefined || sender === worker) return end;
    const link = `${sender}/${worker}`;
    const departure = Math.max(end, busyUntil.get(link) ?? 0) + bytes / bandwidth;
    busyUntil.set(link, departure);
    sentBytes += bytes;
    return departure + latency;
  };

  const ready = workers.map((_, worker) => worker);
  for (let worker = ready.pop(); worker !== undefined; worker = ready.pop()) {
    for (;;) {
      const task = workers[worker]?.[next[worker] ?? 0];
      if (task === undefined) break;
      const missing = task.needs.find((need) => !ends.has(need.task));
      if (missing !== undefined) {
        waiting.set(missing.task, [...(waiting.get(missing.task) ?? []), worker]);
        break;
      }
      const start = Math.max(free[worker] ?? 0, ...task.needs.map((need) => arrival(need, worker)));
      const end = start + task.seconds;
      ends.set(task.id, end);
      free[worker] = end;
      next[worker] = (next[worker] ?? 0) + 1;
      ready.push(...(waiting.get(task.id) ?? []));
      waiting.delete(task.id);
    }
  }
  const stuck = workers.findIndex((tasks, worker) => (next[worker] ?? 0) < tasks.length);
  if (stuck >= 0) throw new RangeError(`Worker ${stuck} waits forever for '${[...waiting.keys()].join(', ')}'.`);
  return { ends, sentBytes };
}
