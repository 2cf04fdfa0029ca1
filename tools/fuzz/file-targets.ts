import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fashionMnist } from '@localgrad/data';
import { parseExperiment, readSweep, readSweepStatus, writeSweep } from '@localgrad/experiments';
import {
  CheckpointFolder,
  MetricsFile,
  readRunFile,
  readRunState,
  readSummary,
  runConfigSchema,
} from '@localgrad/runs';
import { csvWriter } from '@localgrad/trackers';
import { readCifar10 } from '../../packages/data/src/cifar10.js';
import type { Target } from './check.js';
import { datasetCases } from './dataset-cases.js';
import type { FolderCase } from './folder-case.js';
import { encode, jsonWords } from './words.js';

function idx(magic: number, dimensions: readonly number[], values: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(magic, 0);
  for (const [place, extent] of dimensions.entries()) header.writeUInt32BE(extent, 4 + 4 * place);
  return Buffer.concat([header, Buffer.from(values)]);
}

const images = idx(0x803, [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const labels = idx(0x801, [2], [3, 9]);

function writeMnist(folder: string): void {
  for (const prefix of ['train', 't10k']) {
    writeFileSync(join(folder, `${prefix}-images-idx3-ubyte`), images);
    writeFileSync(join(folder, `${prefix}-labels-idx1-ubyte`), labels);
  }
}

const cifarRecord = (label: number) => Buffer.concat([Buffer.from([label]), Buffer.alloc(3072, label)]);

function writeCifar(folder: string): void {
  for (const name of [...[1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}`), 'test_batch']) {
    writeFileSync(join(folder, `${name}.bin`), Buffer.concat([cifarRecord(1), cifarRecord(9)]));
  }
}

const progress = {
  step: 3,
  epoch: 1,
  batchesDone: 3,
  losses: { count: 1, sums: { final: 2.5 } },
  records: [],
  seconds: 1,
  totalSeconds: 1,
  epochSeconds: 1,
  epochPeakBytes: 10,
  peakBytes: 10,
};

async function writeCheckpoint(folder: string): Promise<void> {
  const tensors = new Map([['w', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const]]);
  await new CheckpointFolder(folder, { runId: 'run' }).save({ progress, tensors } as never, null);
}

const readCheckpoints = (folder: string) =>
  new CheckpointFolder(folder, { runId: 'run', onProblem: () => {} }).latest();

const summary = {
  formatVersion: 1,
  runId: '3f2a',
  config: { method: 'dgl' },
  backend: 'cpu',
  objectives: [],
  probes: null,
  cost: {
    backboneParameters: 1,
    trainedParameters: 1,
    unitsOfWork: 3,
    multiplyAccumulatesPerImage: 1,
    predictedPeakBytes: 1,
  },
  testAccuracy: 0.5,
  bestTestAccuracy: 0.5,
  seconds: 1,
  totalSeconds: 1,
  peakBytes: 1,
  steps: 1,
  resumptions: 0,
  epochs: [],
};
const claim = {
  owner: { host: 'elsewhere', pid: 7, startTicks: '1' },
  startedAt: '2026-01-01T00:00:00.000Z',
  checkpointStep: 3,
  outcome: 'failed',
  message: 'x',
};
const metrics = ['run-start', 'epoch-start', 'step-end', 'epoch-end'].map((type) => JSON.stringify({ type, step: 1 }));

const experiment = 'name: x\nbase: { method: "{host}" }\nfactors: { host: [greedy, dgl] }\nseeds: 2\n';

async function writeSweepIn(folder: string): Promise<void> {
  const parsed = await parseExperiment(experiment, 'x.yaml', { schema: runConfigSchema });
  let next = 0;
  await writeSweep(folder, parsed, { runIdOf: () => `run${next++}` });
}

async function readWholeSweep(folder: string): Promise<void> {
  await readSweepStatus(await readSweep(folder));
}

const cases: readonly FolderCase[] = [
  {
    name: 'IDX images',
    file: 'train-images-idx3-ubyte',
    prepare: writeMnist,
    read: (folder) => fashionMnist({ folder }),
  },
  {
    name: 'IDX labels',
    file: 't10k-labels-idx1-ubyte',
    prepare: writeMnist,
    read: (folder) => fashionMnist({ folder }),
  },
  {
    name: 'IDX gzip',
    file: 'train-images-idx3-ubyte.gz',
    inputs: [gzipSync(images), gzipSync(Buffer.alloc(300_000))],
    prepare(folder) {
      writeMnist(folder);
      rmSync(join(folder, 'train-images-idx3-ubyte'));
    },
    read: (folder) => fashionMnist({ folder }),
  },
  { name: 'CIFAR', file: 'data_batch_2.bin', prepare: writeCifar, read: (folder) => readCifar10(folder, 2) },
  {
    name: 'YAML bytes',
    file: 'run.yaml',
    inputs: [encode('epochs: 2\n'), Buffer.from('\ufeffepochs: 2\n', 'utf16le')],
    read: (folder) => readRunFile(join(folder, 'run.yaml')),
  },
  { name: 'checkpoint tensors', file: '.safetensors', prepare: writeCheckpoint, read: readCheckpoints },
  { name: 'checkpoint description', file: '.json', prepare: writeCheckpoint, read: readCheckpoints },
  { name: 'summary', file: 'summary.json', inputs: [encode(JSON.stringify(summary))], read: readSummary },
  {
    name: 'claim',
    file: 'claims/000001.json',
    inputs: [encode(JSON.stringify(claim))],
    read: (folder) => readRunState(folder),
  },
  {
    name: 'metrics JSON Lines',
    file: 'metrics.jsonl',
    inputs: [encode(`${metrics.join('\n')}\n`)],
    read: (folder) => MetricsFile.lossIn(join(folder, 'metrics.jsonl'), 100),
  },
  { name: 'sweep', file: 'sweep.json', prepare: writeSweepIn, read: readWholeSweep },
  {
    name: 'sweep JSON Lines',
    file: 'tasks.jsonl',
    // In the format of earlier versions, which stored the runs only in this file.
    async prepare(folder) {
      await writeSweepIn(folder);
      const file = join(folder, 'sweep.json');
      const { tasks: _, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
      writeFileSync(file, JSON.stringify(rest));
    },
    read: readWholeSweep,
  },
  {
    name: 'CSV',
    file: 'epochs.csv',
    words: ['"', '""', ',', '\n', '\r\n', '"a\nb"', '=1+1'],
    inputs: [encode('epoch,learning_rate,"loss_a,b"\n1,0.5,"2\n3"\n2,0.25,1\n3,0.1,1\n')],
    read: (folder) => csvWriter(join(folder, 'epochs.csv'), { keepRows: 2 }),
  },
  ...datasetCases,
];

/** Readers of files, each with its own folder. */
export function fileTargets(root: string): Promise<Target[]> {
  return Promise.all(cases.map((entry, place) => targetOf(entry, join(root, String(place)))));
}

async function targetOf({ name, words, file, inputs, prepare, read }: FolderCase, folder: string): Promise<Target> {
  mkdirSync(folder, { recursive: true });
  await prepare?.(folder);
  // Comparing the end of the name suffices if the writer chooses the name.
  const path = join(folder, readdirSync(folder).find((found) => found.endsWith(file)) ?? file);
  mkdirSync(dirname(path), { recursive: true });
  return {
    name,
    words: words ?? jsonWords,
    inputs: inputs ?? [readFileSync(path)],
    read(bytes) {
      writeFileSync(path, bytes);
      return read(folder);
    },
  };
}
