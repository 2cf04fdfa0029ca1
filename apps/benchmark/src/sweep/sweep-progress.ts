import { printable } from '@localgrad/core';
import { describeMessage, type SweepStatus, type WorkerMessage } from '@localgrad/experiments';
import { formatSeconds } from '@localgrad/train';
import { createLogUpdate } from 'log-update';
import type { TextStream } from '../terminal.js';

type TaskEnd = Extract<WorkerMessage, { readonly type: 'task-end' }>;

/** Progress of a sweep: on a terminal one updated line per worker, elsewhere one line per run. */
export class SweepProgress {
  readonly #stream: TextStream;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  readonly #workers = new Map<number, { name: string; step: number; steps: number; since: number }>();
  readonly #total: number;
  readonly #begun = performance.now();
  readonly #before: number;
  readonly #ended = new Set<number>();

  constructor(stream: TextStream, { needed, counts }: Pick<SweepStatus, 'needed' | 'counts'>) {
    this.#stream = stream;
    this.#total = needed;
    this.#before = counts.finished + counts.stopped;
    this.#live = stream.isTTY === true ? createLogUpdate(stream as unknown as NodeJS.WriteStream) : undefined;
  }

  show(worker: number, message: WorkerMessage): void {
    if (message.type === 'task-start') {
      this.#workers.set(worker, { name: printable(message.name), step: 0, steps: 0, since: performance.now() });
    } else if (message.type === 'progress') {
      const own = this.#workers.get(worker);
      if (own !== undefined) Object.assign(own, { step: message.step, steps: message.steps });
    } else {
      if (message.type === 'task-end') this.#workers.delete(worker);
      if (message.type !== 'task-end' || this.#isNews(message)) this.#line(describeMessage(message));
    }
    this.#draw();
  }

  end(): void {
    this.#live?.clear();
  }

  get #finished(): number {
    return this.#before + this.#ended.size;
  }

  /** Workers that were about to start a run when a rule ended it report its end, too. */
  #isNews({ index, outcome }: TaskEnd): boolean {
    if (outcome !== 'finished' && outcome !== 'stopped') return outcome !== 'busy';
    const isFirst = !this.#ended.has(index);
    this.#ended.add(index);
    return isFirst;
  }

  #line(text: string): void {
    const prefix = `[${String(this.#finished).padStart(String(this.#total).length)}/${this.#total}] `;
    this.#live?.clear();
    this.#stream.write(`${prefix}${text}\n`);
  }

  #draw(): void {
    if (this.#live === undefined) return;
    const lines = [...this.#workers].map(([worker, { name, step, steps }]) => {
      const share = steps === 0 ? 0 : step / steps;
      const bar = `${'█'.repeat(Math.round(20 * share))}${'░'.repeat(20 - Math.round(20 * share))}`;
      return `  ${worker + 1} ${bar} ${String(Math.round(100 * share)).padStart(3)} %  ${name}`;
    });
    const seconds = (performance.now() - this.#begun) / 1000;
    const done = this.#ended.size;
    const rest = done === 0 ? '' : `, about ${formatSeconds((seconds / done) * (this.#total - this.#finished))} left`;
    this.#live(
      [...lines, `  ${this.#finished} of ${this.#total} runs finished after ${formatSeconds(seconds)}${rest}`].join(
        '\n',
      ),
    );
  }
}
