import type { BackendHandle } from '@localgrad/backends';
import type { TrainingEvent } from '@localgrad/train';
import { memory } from '@tensorflow/tfjs';
import { emptyHistory, withLosses } from '../run/history.js';
import type { EpochPoint, History, LossPoint, Reply } from './protocol.js';

/** Milliseconds between messages to the page. */
const interval = 100;

/** Collects what a run shows, and posts it to the page a few times per second. */
export class Recorder {
  readonly #post: (reply: Reply) => void;
  #history: History;
  #step = 0;
  #losses: LossPoint[] = [];
  #epochs: EpochPoint[] = [];
  #posted = 0;

  constructor(post: (reply: Reply) => void, history: History = emptyHistory) {
    this.#post = post;
    this.#history = history;
  }

  get history(): History {
    return this.#history;
  }

  observe(event: TrainingEvent, backend: BackendHandle | undefined): void {
    if (event.type === 'step-end') {
      this.#step = event.step;
      if (event.losses !== undefined) this.#addLosses({ step: event.step, losses: event.losses }, event.steps);
    }
    if (event.type === 'epoch-end') this.#addEpoch(event);
    if (Date.now() - this.#posted >= interval) void this.flush(backend);
  }

  addProbe(probe: readonly number[]): void {
    this.#history = { ...this.#history, probe };
  }

  /** Posts what is new. */
  async flush(backend: BackendHandle | undefined): Promise<void> {
    this.#posted = Date.now();
    const [losses, epochs] = [this.#losses, this.#epochs];
    this.#losses = [];
    this.#epochs = [];
    const { bytes = 0 } = (await backend?.memoryInUse()) ?? {};
    const { steps } = this.#history;
    this.#post({
      ...{ type: 'progress', step: this.#step, steps, losses, epochs },
      tensors: memory().numTensors,
      bytesInUse: bytes,
    });
  }

  #addLosses(point: LossPoint, steps: number): void {
    this.#losses.push(point);
    this.#history = { ...this.#history, steps, losses: withLosses(this.#history.losses, [point]) };
  }

  #addEpoch(event: Extract<TrainingEvent, { type: 'epoch-end' }>): void {
    const { epoch, testAccuracy = 0, peakBytes, imagesPerSecond } = event;
    const point = { epoch, step: this.#step, testAccuracy, peakBytes, imagesPerSecond };
    this.#epochs.push(point);
    this.#history = { ...this.#history, epochs: [...this.#history.epochs, point] };
  }
}
