import { pytorchFile, weightsExtra, weightsFile } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { messageOf } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import { probeModules, restoreRun, type TrainingCheckpoint, type TrainingEvent, train } from '@localgrad/train';
import { fingerprintOf } from '../pictures/fingerprint.js';
import { fixedSettings, identityOf, type Settings } from '../settings/settings.js';
import { imagesOf } from './data.js';
import { Gate } from './gate.js';
import { describeRun, type PreparedRun, prepareRun } from './prepare.js';
import type { OwnImages, Reply } from './protocol.js';
import { Recorder } from './recorder.js';
import { loadRun, removeRun, saveRun } from './store.js';

/** Milliseconds of training that closing the tab loses at most. */
const saveInterval = 5_000;

interface Opened {
  readonly settings: Settings;
  readonly index: number;
  readonly identity: string;
  readonly data: DatasetSplits;
}

/** One run in a worker: describes, trains, pauses, resumes, probes and exports it. */
export class Session {
  readonly #post: (reply: Reply) => void;
  #backend: BackendHandle | undefined;
  #opened: Opened | undefined;
  #run: PreparedRun | undefined;
  #checkpoint: TrainingCheckpoint | undefined;
  #recorder: Recorder;
  #training: { readonly ended: Promise<void>; readonly controller: AbortController; readonly gate: Gate } | undefined;
  #isSaveDue = false;

  constructor(post: (reply: Reply) => void) {
    this.#post = post;
    this.#recorder = new Recorder(post);
  }

  /** Shows the plan of a run, and the state in which it was left. */
  async open(settings: Settings, index: number, images: OwnImages | undefined): Promise<void> {
    await this.#stop();
    this.#opened = undefined;
    this.#post({ type: 'status', status: 'opening' });
    // Images load while the backend starts. A failure of theirs is reported once it has.
    const loading = imagesOf(settings.shared, images);
    loading.catch(() => {});
    const backend = await this.#startBackend(settings);
    const data = await loading;
    const { description, endToEnd } = describeRun(settings, index, data);
    const { name, threads, facts } = backend;
    const reason = typeof facts.reason === 'string' ? { reason: facts.reason } : {};
    const { predictedPeakBytes: peakBytes, unitsOfWork } = endToEnd.totals;
    this.#post({
      type: 'plan',
      plan: { description, endToEnd: { peakBytes, unitsOfWork }, backend: { name, threads, ...reason } },
    });
    const own = settings.shared.dataset === 'own' && images !== undefined ? fingerprintOf(images) : '';
    const identity = `${name} ${identityOf(settings, index)}${own}`;
    this.#opened = { settings, index, identity, data };
    await this.#restore(index, identity);
  }

  async #restore(index: number, identity: string): Promise<void> {
    const stored = await this.#stored(() => loadRun(index, identity));
    this.#checkpoint = stored?.checkpoint;
    this.#recorder = new Recorder(this.#post, stored?.history);
    if (stored === undefined) {
      this.#post({ type: 'status', status: 'ready' });
      return;
    }
    const status = stored.isFinished ? 'finished' : 'paused';
    this.#post({ type: 'restored', step: stored.checkpoint.progress.step, history: stored.history, status });
  }

  /** Runs train without a store, too: it may be blocked or full. Posts whether it works. */
  async #stored<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await act();
      this.#post({ type: 'store' });
      return result;
    } catch (error) {
      this.#post({ type: 'store', problem: messageOf(error) });
      return undefined;
    }
  }

  /** Starts training, or continues it where it was paused or left. */
  start(): void {
    if (this.#training === undefined) this.#train();
    else {
      this.#training.gate.open();
      this.#post({ type: 'status', status: 'running' });
    }
  }

  /** Stops before the next step. The step that is running is completed and saved. */
  pause(): void {
    this.#isSaveDue = true;
    this.#training?.gate.close();
  }

  /** Forgets everything that was trained. */
  async reset(): Promise<void> {
    await this.#stop();
    this.#checkpoint = undefined;
    this.#recorder = new Recorder(this.#post);
    const { index } = this.#opened ?? {};
    if (index !== undefined) await this.#stored(() => removeRun(index));
    this.#post({ type: 'status', status: 'ready' });
  }

  async export(format: 'localgrad' | 'pytorch'): Promise<void> {
    const run = this.#prepared();
    const extra = weightsExtra(run.batches.normalization, run.classNames);
    const content = format === 'pytorch' ? await pytorchFile(run.network) : await weightsFile(run.network, extra);
    const name = `${run.compiled.plan.method.replace(/[^\w.-]+/g, '-').replace(/-+$/, '')}-${format}.safetensors`;
    this.#post({ type: 'file', name, content: new Uint8Array(content) });
  }

  #train(): void {
    const controller = new AbortController();
    const gate = new Gate(() => void this.#reachGate());
    const ended = this.#runToEnd(controller.signal, gate).catch((error: unknown) => {
      if (controller.signal.aborted) return;
      this.#training = undefined;
      this.#post({ type: 'error', message: messageOf(error) });
      this.#post({ type: 'status', status: 'failed' });
    });
    this.#training = { ended, controller, gate };
  }

  async #runToEnd(signal: AbortSignal, gate: Gate): Promise<void> {
    const { settings, index, identity } = this.#current();
    const { compiled, optimizer, learningRate, batches, testBatches } = this.#prepared();
    this.#post({ type: 'status', status: 'running' });
    const { epochs, seed } = settings.shared;
    let saved = Date.now();
    const resume = this.#checkpoint;
    await train({
      compiled,
      optimizer,
      learningRate,
      batches: gate.around(batches),
      testBatches,
      epochs,
      seed,
      logEvery: fixedSettings.logEvery,
      signal,
      observers: [{ observe: (event: TrainingEvent) => this.#recorder.observe(event, this.#backend) }],
      ...(this.#backend === undefined ? {} : { availableBytes: this.#backend.availableBytes() }),
      checkpoints: {
        isDue: () => this.#isSaveDue || Date.now() - saved > saveInterval,
        save: async (checkpoint) => {
          if (signal.aborted) return;
          this.#isSaveDue = false;
          this.#checkpoint = checkpoint;
          const isFinished = checkpoint.progress.records.length === epochs;
          const { history } = this.#recorder;
          await this.#stored(() => saveRun(index, { identity, checkpoint, history, isFinished }));
          saved = Date.now();
        },
      },
      ...(resume === undefined ? {} : { resume }),
    });
    await this.#recorder.flush(this.#backend);
    await this.#probe();
    const checkpoint = this.#checkpoint;
    if (checkpoint !== undefined) {
      const { history } = this.#recorder;
      await this.#stored(() => saveRun(index, { identity, checkpoint, history, isFinished: true }));
    }
    this.#training = undefined;
    this.#post({ type: 'status', status: 'finished' });
  }

  async #reachGate(): Promise<void> {
    await this.#recorder.flush(this.#backend);
    await this.#probe();
    this.#post({ type: 'status', status: 'paused' });
  }

  /** Measures what each module has learned. */
  async #probe(): Promise<void> {
    const { network, batches, testBatches } = this.#prepared();
    const accuracies = await probeModules({ network, batches, testBatches });
    this.#recorder.addProbe(accuracies);
    this.#post({ type: 'probe', accuracies });
  }

  /** The run with its weights: those of the checkpoint after a reload. */
  #prepared(): PreparedRun {
    if (this.#run !== undefined) return this.#run;
    const { settings, index, data } = this.#current();
    this.#run = prepareRun(settings, index, data);
    if (this.#checkpoint !== undefined) restoreRun(this.#run.compiled, this.#run.optimizer, this.#checkpoint);
    return this.#run;
  }

  #current(): Opened {
    if (this.#opened === undefined) throw new Error('The run is not ready yet.');
    return this.#opened;
  }

  async #stop(): Promise<void> {
    const training = this.#training;
    training?.controller.abort();
    training?.gate.open();
    await training?.ended;
    this.#training = undefined;
    this.#run?.dispose();
    this.#run = undefined;
  }

  async #startBackend({ shared, runs }: Settings): Promise<BackendHandle> {
    const { backend, threads: wanted, relaxedSimd } = shared;
    // Two runs share the processor; threads that wait for a core slow down each other.
    const threads = wanted === 'auto' && runs.length > 1 ? sharedThreads(runs.length) : wanted;
    const before = this.#backend;
    this.#backend = await selectBackend(backend, { threads, relaxedSimd });
    before?.dispose();
    return this.#backend;
  }
}

function sharedThreads(runs: number): number | 'auto' {
  if (!globalThis.crossOriginIsolated) return 'auto';
  return Math.max(1, Math.min(8, Math.floor(navigator.hardwareConcurrency / runs)));
}
