import { createRandom } from '@localgrad/nn/random';
import { stepDecay } from '@localgrad/nn/schedules';
import {
  type BatchSource,
  captureTensors,
  type StepPipeline,
  type TrainingCheckpoint,
  type TrainingEvent,
  type TrainOptions,
  train,
} from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { createPipeline, type PipelineOptions } from './index.js';
import { build, classes, type FixtureConfig, imageShape } from './plan.fixture.js';

/** Random images with random labels; the same for every run. */
export function randomBatches(samples: number, batchSize: number): BatchSource {
  const [height, width, channels] = imageShape;
  return {
    samples,
    batchSize,
    batchesPerEpoch: Math.ceil(samples / batchSize),
    *epoch(epoch, fromSample = 0) {
      for (let first = fromSample; first < samples; first += batchSize) {
        const random = createRandom(epoch, `batch${first}`);
        const size = Math.min(batchSize, samples - first);
        const values = Float32Array.from({ length: size * height * width * channels }, () => random.normal());
        const images = tf.tensor4d(values, [size, ...imageShape]);
        const targets = {
          labels: tf.tensor1d(
            Array.from({ length: size }, () => random.integer(classes)),
            'int32',
          ),
          images: tf.tensor4d(
            values.map((value) => 1 / (1 + Math.exp(-value))),
            [size, ...imageShape],
          ),
        };
        yield { images, targets, dispose: () => tf.dispose([images, ...Object.values(targets)]) };
      }
    },
  };
}

/** A run that ended, as text that two runs have in common only if all bits are the same. */
export interface EndedRun {
  readonly tensors: readonly string[];
  readonly events: readonly string[];
  readonly checkpoints: readonly TrainingCheckpoint[];
}

export interface FixtureRun extends Partial<TrainOptions> {
  readonly config: FixtureConfig;
  /** Absent: sequential training in this thread. */
  readonly workers?: Pick<PipelineOptions, 'placement' | 'program' | 'backend' | 'machines'>;
  /** Creates another kind of pipeline. */
  readonly createPipeline?: (plan: Pick<PipelineOptions, 'compiled' | 'config'>) => StepPipeline;
}

/** Learning rate of a fixture's run. */
export const schedule = stepDecay({ learningRate: 0.05, milestones: [1] });
/** Data of a fixture's run. */
export const batches = randomBatches(24, 5);

/** Trains the network of a config for two epochs of five steps, the last of which is smaller. */
export async function runFixture({
  config,
  workers,
  createPipeline: create,
  ...options
}: FixtureRun): Promise<EndedRun> {
  const { compiled, optimizer, scope } = build(config);
  const events: TrainingEvent[] = [];
  const checkpoints: TrainingCheckpoint[] = [];
  try {
    await train({
      compiled,
      optimizer,
      learningRate: schedule,
      batches,
      testBatches: randomBatches(8, 4),
      epochs: 2,
      logEvery: 2,
      seed: 5,
      observers: [{ observe: (event) => void events.push(event) }],
      checkpoints: { save: (checkpoint) => void checkpoints.push(checkpoint) },
      ...(workers === undefined ? {} : { pipeline: createPipeline({ compiled, config, ...workers }) }),
      ...(create === undefined ? {} : { pipeline: create({ compiled, config }) }),
      ...options,
    });
    const tensors = await captureTensors(compiled, optimizer);
    return { tensors: textOf(tensors), events: events.map(timeless), checkpoints };
  } finally {
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  }
}

/** The bits of tensors, one line per tensor. */
export function textOf(tensors: TrainingCheckpoint['tensors']): string[] {
  return [...tensors]
    .map(
      ([name, { shape, data }]) =>
        `${name} [${shape}] ${Buffer.from(Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).toString('hex')}`,
    )
    .sort();
}

/** An event without times and memory. */
function timeless(event: TrainingEvent): string {
  const left = ['seconds', 'totalSeconds', 'imagesPerSecond', 'peakBytes', 'predictedPeakBytes'];
  return JSON.stringify(event, (key, value: unknown) => (left.includes(key) ? undefined : value));
}
