// What a recorded step costs the host, against the ordinary one, and the memory of both; on Dawn's null device, which checks
// every call and computes nothing, so that no GPU is needed. Linux.
//   node benchmarks/recorded-steps.mjs [--batch 128] [--timed-batch 16] [--modules 16] [--backbone resnet32] [--turns 10] [--methods LIST]
//     [--output FILE.csv]
// CPU time is that of the main thread; it hardly depends on the batch size, so it is measured with small batches: the null
// device has 512 MiB. Medians of turns of both kinds. Batches are uploaded in each step, and losses are read at its end.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backboneFactory } from '@localgrad/backbones';
import { standardCatalog } from '@localgrad/catalog';
import { clockAt, createNetwork, resolvePartition } from '@localgrad/core';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { cosine } from '@localgrad/nn/schedules';
import { startWebGpu } from '@localgrad/webgpu-kernels';
import * as tf from '@tensorflow/tfjs';
import { create, globals } from 'webgpu';
import { ownOutput } from './own-output.mjs';

const { values: options } = parseArgs({
  options: {
    batch: { type: 'string', default: '128' },
    'timed-batch': { type: 'string', default: '16' },
    modules: { type: 'string', default: '16' },
    backbone: { type: 'string', default: 'resnet32' },
    turns: { type: 'string', default: '10' },
    methods: { type: 'string', default: 'backprop;dgl(head: 1c2f);mlaan(greedy)' },
    output: { type: 'string' },
  },
});
const columns = [
  'method',
  'dispatches',
  'ordinary_cpu_ms',
  'recorded_cpu_ms',
  'ratio',
  'us_per_dispatch',
  'ordinary_MiB',
  'recorded_MiB',
  'arena_MiB',
  'live_MiB',
  'memory_ratio',
  'predicted_MiB',
];
const write = await ownOutput(options.output, columns.join());
const { modules, turns } = { modules: Number(options.modules), turns: Number(options.turns) };
const [memoryBatch, timedBatch] = [Number(options.batch), Number(options['timed-batch'])];
const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
/** Milliseconds of the main thread. */
const cpuTime = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: create(['backend=null']) }, configurable: true });
tf.enableProdMode();
const runtime = await startWebGpu();
const { device, bufferManager } = tf.backend();

function createTraining(name, recordSteps, batch) {
  const method = standardCatalog.method(name);
  const scope = createScope(1);
  const backbone = backboneFactory(options.backbone, {}).build({ inputShape: [32, 32, 3], classes: 10, scope });
  const network = createNetwork(
    backbone,
    resolvePartition(backbone.blocks, { modules: name === 'backprop' ? 1 : modules }),
  );
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.1 });
  const learningRate = cosine({ learningRate: 0.1 });
  const trainStep = createTrainStep({ compiled, optimizer, learningRate, recordSteps });
  const values = new Float32Array(batch * 32 * 32 * 3).fill(0.5);
  let steps = 0;
  let cpu = [];
  return {
    trainStep,
    async step() {
      const images = tf.tensor4d(values, [batch, 32, 32, 3]);
      const labels = tf.tensor1d(new Int32Array(batch), 'int32');
      const targets = compiled.reads.includes('images') ? { labels, images } : { labels };
      const start = cpuTime();
      const { losses, terms } = trainStep.run({ images, targets }, clockAt(steps++, 100, 100));
      cpu.push(cpuTime() - start);
      tf.dispose([images, labels]);
      await [...losses.values()].at(-1).data();
      tf.dispose([...losses.values(), ...terms.values()]);
      await device.queue.onSubmittedWorkDone();
    },
    /** Median milliseconds of the steps since the last call. */
    takeCpu() {
      const sorted = cpu.sort((a, b) => a - b);
      cpu = [];
      return sorted[Math.floor(sorted.length / 2)];
    },
    dispose() {
      trainStep.dispose();
      optimizer.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
    },
  };
}

function emptyPool() {
  for (const buffers of bufferManager.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      bufferManager.numFreeBuffers--;
      bufferManager.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

async function bytesOf(name, recordSteps) {
  emptyPool();
  const before = runtime.allocatedBytes();
  const training = createTraining(name, recordSteps, memoryBatch);
  for (let step = 0; step < 6; step++) await training.step();
  const bytes = runtime.allocatedBytes() - before;
  const { recording } = training.trainStep;
  const predicted = training.trainStep.predict(memoryBatch).peakBytes;
  training.dispose();
  return { bytes, recording, predicted };
}

const rows = [];
for (const name of options.methods.split(';')) {
  const pool = await bytesOf(name, false);
  const { bytes, recording, predicted } = await bytesOf(name, true);
  if (recording.mode !== 'recorded') throw new Error(`${name} is not recorded: ${recording.reason ?? recording.mode}`);
  const [ordinary, recorded] = [false, true].map((recordSteps) => createTraining(name, recordSteps, timedBatch));
  for (const training of [ordinary, recorded]) {
    for (let step = 0; step < 6; step++) await training.step();
    training.takeCpu();
  }
  for (let turn = 0; turn < turns; turn++) {
    // As in training, most steps follow one of their own kind.
    for (let step = 0; step < 3; step++) await ordinary.step();
    for (let step = 0; step < 9; step++) await recorded.step();
  }
  const [ordinaryMs, recordedMs] = [ordinary.takeCpu(), recorded.takeCpu()];
  rows.push({
    method: name,
    dispatches: recording.dispatches,
    ordinary_cpu_ms: ordinaryMs.toFixed(2),
    recorded_cpu_ms: recordedMs.toFixed(2),
    ratio: (ordinaryMs / recordedMs).toFixed(1),
    us_per_dispatch: ((1000 * recordedMs) / recording.dispatches).toFixed(2),
    ordinary_MiB: mebibytes(pool.bytes),
    recorded_MiB: mebibytes(bytes),
    arena_MiB: mebibytes(recording.arenaBytes),
    live_MiB: mebibytes(recording.peakBytes),
    memory_ratio: (bytes / pool.bytes).toFixed(3),
    predicted_MiB: mebibytes(predicted),
  });
  for (const training of [ordinary, recorded]) training.dispose();
}
console.table(rows);
const quoted = (value) => (/[",]/.test(String(value)) ? `"${value}"` : value);
await write(rows.map((row) => columns.map((column) => quoted(row[column])).join()));
process.exit(0);
