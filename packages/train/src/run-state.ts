import type { CompiledPlan } from '@localgrad/engine';
import { recordOf, storedRecord, type TrainingCheckpoint, type TrainingProgress } from './checkpoint.js';
import { accuraciesOf } from './evaluation-records.js';
import type { EpochRecord } from './events.js';
import { LossLog } from './loss-log.js';
import { Stopwatch } from './stopwatch.js';

/** Progress of a run; stored in checkpoints. */
export class RunState {
  readonly losses: LossLog;
  /** Records of the completed epochs. */
  readonly records: EpochRecord[];
  /** Time of training steps only. */
  readonly training: Stopwatch;
  /** Time including evaluation and checkpoints. */
  readonly total: Stopwatch;
  readonly resumptions: number;
  readonly #compiled: CompiledPlan;
  step: number;
  /** Learning rate of the last step. */
  learningRate = 0;
  /** Peak bytes over all completed epochs. */
  peakBytes: number;
  epoch: EpochState;

  constructor(compiled: CompiledPlan, resumed: TrainingCheckpoint['progress'] | undefined) {
    this.#compiled = compiled;
    this.losses = new LossLog(compiled, resumed?.losses);
    this.records = (resumed?.records ?? []).map(recordOf);
    this.training = new Stopwatch(resumed?.seconds);
    this.total = new Stopwatch(resumed?.totalSeconds).start();
    this.resumptions = resumed === undefined ? 0 : resumed.resumptions + 1;
    this.step = resumed?.step ?? 0;
    this.peakBytes = resumed?.peakBytes ?? 0;
    this.epoch = {
      number: resumed?.epoch ?? 1,
      batchesDone: resumed?.batchesDone ?? 0,
      peakBytes: resumed?.epochPeakBytes ?? 0,
      multiplyAccumulates: resumed === undefined ? 0 : workDone(resumed),
      secondsBefore: this.training.seconds - (resumed?.epochSeconds ?? 0),
    };
  }

  /** Seconds of training steps in the current epoch. */
  get epochSeconds(): number {
    return this.training.seconds - this.epoch.secondsBefore;
  }

  /** Ends the current epoch. */
  endEpoch(record: EpochRecord): void {
    this.records.push(record);
    this.epoch = {
      number: this.epoch.number + 1,
      batchesDone: 0,
      peakBytes: 0,
      multiplyAccumulates: 0,
      secondsBefore: this.training.seconds,
    };
  }

  /** The position of the run, for a checkpoint. */
  async progress(): Promise<TrainingProgress> {
    const { number, batchesDone, peakBytes, multiplyAccumulates } = this.epoch;
    return {
      step: this.step,
      epoch: number,
      batchesDone,
      losses: await this.losses.state(),
      records: this.records.map(storedRecord),
      seconds: this.training.seconds,
      totalSeconds: this.total.seconds,
      epochSeconds: batchesDone === 0 ? 0 : this.epochSeconds,
      epochPeakBytes: peakBytes,
      ...(Number.isNaN(multiplyAccumulates) ? {} : { epochMultiplyAccumulates: multiplyAccumulates }),
      peakBytes: this.peakBytes,
      resumptions: this.resumptions,
      state: this.#compiled.state.values(),
    };
  }

  /** Values for the result and the last event. */
  summary() {
    return {
      ...accuraciesOf(this.records),
      seconds: this.training.seconds,
      totalSeconds: this.total.seconds,
      peakBytes: this.peakBytes,
      steps: this.step,
      resumptions: this.resumptions,
    };
  }
}

interface EpochState {
  /** From 1. */
  readonly number: number;
  batchesDone: number;
  peakBytes: number;
  /** For one image, summed over the epoch's steps; NaN if it is not known of all. */
  multiplyAccumulates: number;
  /** Training seconds at the start of the epoch. */
  readonly secondsBefore: number;
}

/** Earlier versions did not count. */
function workDone({ batchesDone, epochMultiplyAccumulates = Number.NaN }: TrainingProgress): number {
  return batchesDone === 0 ? 0 : epochMultiplyAccumulates;
}
