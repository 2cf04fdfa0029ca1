import type { NamedTensors, RecordableStep, RecordedStep, RecordingStatus, StepRecorder } from '@localgrad/kernels';
import { type Scalar, type Tensor, tensor } from '@tensorflow/tfjs';
import type { FlatStorage } from '../flat-storage.js';
import type { WebGpuBackend } from '../program.js';
import { Arena, flush, trimPool } from './arena.js';
import { NotRecordable } from './buffers.js';
import { compareTraces, mergeLinks, type NumberLink } from './compare.js';
import { Recording } from './recording.js';
import type { Refresh } from './refresh.js';
import type { StepTrace } from './trace.js';
import { type Log, Tracer } from './tracer.js';

/** Consecutive steps that may differ before a step counts as one that always does. */
const mostAttempts = 6;
/** Times that a recording may become outdated before it has been replayed as often. */
const mostLosses = 3;

/** Records steps on a WebGPU backend. */
export class WebGpuRecorder implements StepRecorder {
  readonly #backend: WebGpuBackend;
  readonly #storage: FlatStorage;
  readonly #arena: Arena;
  readonly #tracer: Tracer;
  #refresh: Refresh | undefined;

  constructor(backend: WebGpuBackend, storage: FlatStorage) {
    this.#backend = backend;
    this.#storage = storage;
    this.#arena = new Arena(backend);
    this.#tracer = new Tracer(backend, storage);
  }

  /** The log of the step that is being traced. */
  get log(): Log | undefined {
    return this.#tracer.log;
  }

  /** Set while update kernels only take new numbers. */
  get refresh(): Refresh | undefined {
    return this.#refresh;
  }

  recordStep<Results extends NamedTensors>(step: RecordableStep<Results>): RecordedStep<Results> {
    return new StatefulStep(this, step);
  }

  repeat(update: () => void): void {
    if (this.log === undefined) update();
    else this.log.repeat(update);
  }

  computedTensor(values: () => Float32Array, shape: readonly number[]): Tensor {
    const { log } = this;
    return log === undefined ? tensor(values(), [...shape], 'float32') : log.compute(values, shape);
  }

  refuse(reason: string): void {
    this.log?.refuse(reason);
  }

  gatherScalars(scalars: readonly Scalar[]): Tensor {
    const flat = this.#storage.create(scalars.length);
    scalars.forEach((scalar, index) => {
      this.#storage.copy(scalar, flat.whole, index);
    });
    return this.#storage.view(flat, 0, [scalars.length]);
  }

  trace<Results extends NamedTensors>(step: RecordableStep<Results>, inputs: NamedTensors) {
    return this.#tracer.trace(step, inputs);
  }

  /** @throws NotRecordable */
  create(trace: StepTrace, links: readonly NumberLink[]): Recording {
    flush(this.#backend);
    trimPool(this.#backend);
    return new Recording({ backend: this.#backend, storage: this.#storage, arena: this.#arena }, trace, links);
  }

  replay<Results extends NamedTensors>(
    recording: Recording,
    inputs: NamedTensors,
    step: RecordableStep<Results>,
  ): Results {
    this.#refresh = recording.refresh();
    try {
      for (const update of recording.trace.repeated) update();
    } finally {
      this.#refresh = undefined;
    }
    // Results have the names, shapes and types of the recorded step's.
    return recording.replay(inputs, step.state(), step.numbers?.() ?? {}) as Results;
  }
}

/** A step that is traced until it repeats itself, and then replayed. */
class StatefulStep<Results extends NamedTensors> implements RecordedStep<Results> {
  readonly #recorder: WebGpuRecorder;
  readonly #step: RecordableStep<Results>;
  #previous: StepTrace | undefined;
  #recording: Recording | undefined;
  #reason: string | undefined;
  #attempts = 0;
  #losses = 0;
  #replays = 0;
  /** Names of the numbers that are known to reach the operations only where they are linked. */
  readonly #varied = new Set<string>();
  #links: readonly NumberLink[] = [];

  constructor(recorder: WebGpuRecorder, step: RecordableStep<Results>) {
    this.#recorder = recorder;
    this.#step = step;
  }

  get status(): RecordingStatus {
    if (this.#reason !== undefined) return { mode: 'ordinary', reason: this.#reason };
    const recording = this.#recording;
    if (recording === undefined) return { mode: 'tracing' };
    const { slots, peakBytes } = recording.buffers.plan;
    const arenaBytes = slots.reduce((sum, bytes) => sum + bytes, 0);
    return { mode: 'recorded', dispatches: recording.dispatches, arenaBytes, peakBytes };
  }

  run(inputs: NamedTensors): Results {
    const step = this.#step;
    if (this.#reason !== undefined) return step.run(inputs);
    const recording = this.#recording;
    if (recording === undefined) return this.#trace(inputs);
    if (!recording.isCurrent(step.state())) {
      this.#lose();
      return this.#trace(inputs);
    }
    if (!this.#knowsNumbers(recording)) {
      // Traced against the recorded step, to find the number.
      this.#recording = undefined;
      recording.dispose();
      return this.#trace(inputs);
    }
    this.#replays++;
    return this.#recorder.replay(recording, inputs, step);
  }

  dispose(): void {
    this.#recording?.dispose();
    this.#recording = undefined;
    this.#previous = undefined;
  }

  #trace(inputs: NamedTensors): Results {
    const { results, trace } = this.#recorder.trace(this.#step, inputs);
    const previous = this.#previous;
    this.#previous = trace;
    const { difference, links } =
      previous === undefined ? { difference: 'it has run once', links: [] } : compareTraces(previous, trace);
    const problem = trace.problem ?? difference;
    if (problem === undefined && previous !== undefined) this.#record(previous, trace, links);
    else this.#fail(problem ?? 'it has run once');
    return results;
  }

  #record(previous: StepTrace, trace: StepTrace, links: readonly NumberLink[]): void {
    for (const [name, value] of Object.entries(trace.numbers)) {
      if (previous.numbers[name] !== value) this.#varied.add(name);
    }
    this.#links = mergeLinks(this.#links, links);
    try {
      this.#recording = this.#recorder.create(trace, this.#links);
      this.#attempts = 0;
    } catch (error) {
      if (!(error instanceof NotRecordable)) throw error;
      this.#fail(error.message);
    }
  }

  #fail(problem: string): void {
    this.#attempts++;
    if (this.#attempts >= mostAttempts) this.#give(problem);
  }

  #give(reason: string): void {
    this.#reason = reason;
    this.dispose();
  }

  #lose(): void {
    this.#losses = this.#replays < mostLosses ? this.#losses + 1 : 0;
    this.#replays = 0;
    this.dispose();
    if (this.#losses >= mostLosses) this.#give('its state is replaced between steps');
  }

  /** A number that did not change between the traced steps may be part of other numbers of theirs. */
  #knowsNumbers({ trace }: Recording): boolean {
    const numbers = this.#step.numbers?.() ?? {};
    return Object.entries(numbers).every(([name, value]) => trace.numbers[name] === value || this.#varied.has(name));
  }
}
