import { cifarResNet, readBackbone, weightsFile } from '@localgrad/backbones';
import { formatExpression, parseExpression } from '@localgrad/core';
import { parseExperiment } from '@localgrad/experiments';
import { createScope } from '@localgrad/nn/random';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import { parseRunFile, runConfigSchema } from '@localgrad/runs';
import type { Target } from './check.js';
import { fileTargets } from './file-targets.js';
import { encode, jsonWords } from './words.js';

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const safetensorsWords = [
  ...jsonWords,
  '"__metadata__":',
  '"dtype"',
  '"shape"',
  '"data_offsets"',
  '"F32"',
  '"BF16"',
  '"F4"',
  '"U64"',
  '[0]',
  '[0,0]',
  '[18446744073709551615]',
  '"localgrad"',
  'PK\u0003\u0004',
  '\u001f\u008b',
  '<html>',
];
const yamlWords = [
  ...jsonWords,
  '&a ',
  '*a',
  '<<: ',
  '- ',
  '? ',
  ': ',
  '|',
  '>',
  '!!binary ',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '\t',
  '\n  ',
  '{factor}',
  '{constructor}',
  '.inf',
  '.nan',
  '~',
  '\ufeff',
  '\u001b[31m',
  '"\\e"',
  '# ',
  'seeds: 99999999\n',
];

const runFile = `# A run
method: "dgl(head: 1c2f)"
backbone: resnet14
partition: [2, 3, 3]
base: &base { epochs: 2, batch: 20 }
learningRate: 0.1
nesterov: true
`;
const experiment = `name: ablation
base: { <<: { epochs: 1 }, method: "{add}", batch: 20 }
factors:
  host: { Greedy: greedy, DGL: "dgl(head: 1c2f)" }
  add: { none: "{host}", MLM: "mlm({host})" }
grid: { modules: [2, 4] }
exclude: [{ host: Greedy, modules: 4 }]
include: [{ name: end to end, method: backprop, modules: 1 }]
seeds: [3, 5]
compare: { factor: add, baseline: none }
reference: end to end
trackers: { csv: true }
`;

function smallSafetensors(): Uint8Array {
  return writeSafetensors({
    tensors: new Map([
      ['conv1.weight', { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 2) }],
      ['empty', { dtype: 'U8', shape: [0], data: new Uint8Array() }],
      ['count', { dtype: 'I64', shape: [], data: Float64Array.of(7) }],
    ]),
    metadata: { format: 'pt' },
  });
}

/** Weights files of backbones, whose descriptions and names are mutated. */
async function smallWeights(): Promise<Uint8Array[]> {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 1 }).build({ inputShape: [8, 8, 1], classes: 2, scope });
  const bytes = await weightsFile(backbone, { normalization: { mean: [0.5], deviation: [1] } });
  for (const parameter of scope.all().values()) parameter.dispose();
  return [bytes, writeSafetensors({ tensors: readSafetensors(bytes).tensors, metadata: {} })];
}

function readWeights(bytes: Uint8Array): void {
  const scope = createScope(1);
  try {
    readBackbone(bytes, { scope });
  } finally {
    for (const parameter of scope.all().values()) parameter.dispose();
  }
}

/** @param folder folder for files that readers expect */
export async function targetsIn(folder: string): Promise<Target[]> {
  return [
    {
      name: 'safetensors',
      inputs: [smallSafetensors()],
      words: safetensorsWords,
      read: (bytes) => readSafetensors(bytes),
    },
    { name: 'weights', inputs: await smallWeights(), words: safetensorsWords, read: readWeights },
    {
      name: 'run YAML',
      inputs: [encode(runFile)],
      words: yamlWords,
      read: (bytes) => parseRunFile(decode(bytes), 'run.yaml'),
    },
    {
      name: 'experiment YAML',
      inputs: [encode(experiment)],
      words: yamlWords,
      read: (bytes) => parseExperiment(decode(bytes), 'experiment.yaml', { schema: runConfigSchema }),
    },
    {
      name: 'expression',
      inputs: ['lam(mlm(dgl(head: 1c2f), window: 3), momentum: 0.995)', 'mlaan(infopro(loss: contrast))'].map(encode),
      words: [
        '(',
        ')',
        ',',
        ':',
        'mlm(',
        '__proto__: 1',
        'constructor',
        '((((((((',
        'head: ',
        '-0',
        '1e999',
        '\u001b[31m',
      ],
      async read(bytes) {
        formatExpression(parseExpression(decode(bytes)));
      },
    },
    ...(await fileTargets(folder)),
  ];
}
