import { at, clockAt, type Span } from '@localgrad/core';
import { type Batch, createPartStep, endStep, partOf } from '@localgrad/engine';
import { type BatchSource, captureTensors, type OwnedBatch } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { build, type FixtureConfig } from '../plan.fixture.js';
import { batches, schedule, textOf } from '../run.fixture.js';
import type { WorkerTurn } from './turn.js';

interface ReplayOptions {
  readonly epochs: number;
  readonly accumulate: number;
}

/**
 * Trains in this thread as workers have done: each turn on the output that it has read then, as soon as that is there. Returns
 * weights and optimizer state as text.
 */
export async function replayed(
  config: FixtureConfig,
  turns: readonly WorkerTurn[],
  { epochs, accumulate }: ReplayOptions,
): Promise<string[]> {
  const { compiled, optimizer, scope } = build(config);
  const workers = 1 + Math.max(...turns.map(({ worker }) => worker));
  const groups = Array.from({ length: workers }, (_, worker) => {
    const own = turns.filter((turn) => turn.worker === worker);
    const modules: Span = own[0]?.modules ?? [0, 0];
    const part = partOf(compiled, modules);
    const outputs: Batch[][] = [];
    let current: Batch[] = [];
    const step = createPartStep({
      ...{ compiled: part, optimizer, accumulate, seed: 5 },
      onOutput: ({ images, targets }) => current.push(copyOf(images, targets)),
    });
    return {
      ...{ waiting: [...own], part, outputs, step },
      begin: () => {
        current = [];
      },
      end: () => void (current.length > 0 && outputs.push(current)),
    };
  });
  while (groups.some(({ waiting }) => waiting.length > 0)) {
    const index = groups.findIndex(({ waiting: [turn] }, worker) => {
      if (turn === undefined) return false;
      return turn.output === undefined || turn.output < at(groups, worker - 1, 'worker').outputs.length;
    });
    const group = at(groups, index, 'turn that can be replayed');
    const turn = at(group.waiting.splice(0, 1), 0, 'turn');
    const clock = clockAt(turn.step, epochs, batches.batchesPerEpoch);
    const data = turn.output === undefined ? dataOf(batches, turn.batch) : undefined;
    const input = data ?? at(at(groups, index - 1, 'worker').outputs, turn.output ?? 0, 'output');
    group.begin();
    const { losses, terms } = group.step.run(input, {
      ...{ clock, learningRate: schedule.rate(clock), repetition: turn.repetition },
    });
    endStep(group.part, clock, () => true);
    group.end();
    tf.dispose([...losses.values(), ...terms.values()]);
    data?.dispose();
  }
  const text = textOf(await captureTensors(compiled, optimizer));
  for (const { images, targets } of groups.flatMap(({ outputs }) => outputs.flat())) {
    tf.dispose([images, ...Object.values(targets).flatMap((target) => target ?? [])]);
  }
  optimizer.dispose();
  for (const parameter of scope.all().values()) parameter.dispose();
  return text;
}

function copyOf(images: tf.Tensor4D, targets: Batch['targets']): Batch {
  const copies = Object.entries(targets).flatMap(([name, target]) =>
    target === undefined ? [] : [[name, tf.keep(target.clone())] as const],
  );
  return { images: tf.keep(images.clone()), targets: Object.fromEntries(copies) };
}

function dataOf({ batchesPerEpoch, batchSize, epoch }: BatchSource, step: number): OwnedBatch {
  const from = (step % batchesPerEpoch) * batchSize;
  const all = epoch(Math.floor(step / batchesPerEpoch), from);
  if (!(Symbol.iterator in all)) throw new Error('The data of a fixture is there at once.');
  for (const batch of all) return batch;
  throw new Error(`There is no batch ${step}.`);
}
