/** Types of the names that code in the documentation uses without declaring them, because they are the reader's. */
const readers: Readonly<Record<string, string>> = {
  batch: "import('@localgrad/engine').Batch",
  batches: "import('@localgrad/data').Batches",
  bytes: 'Uint8Array',
  classes: 'number',
  compiled: "import('@localgrad/engine').CompiledPlan",
  epochs: 'number',
  filter: "import('@tensorflow/tfjs').Tensor4D",
  images: 'Uint8Array',
  inputShape: "import('@localgrad/core').Shape3",
  missing: '() => never',
  model: "import('@tensorflow/tfjs').LayersModel",
  myKernels: "import('@localgrad/kernels').TrainingKernels",
  network: "import('@localgrad/core').Network",
  ownMethod: "(options: import('@localgrad/core').JsonObject) => import('@localgrad/core').LocalLearningMethod",
  scope: "import('@localgrad/core').ParameterScope",
  size: 'number',
  steps: 'number',
  stepsPerEpoch: 'number',
  svg: 'string',
  testBatches: "import('@localgrad/train').BatchSource",
  validationBatches: "import('@localgrad/train').BatchSource",
  x: "import('@tensorflow/tfjs').Tensor4D",
};

/** Modules from which fragments take names without importing them. */
const namespaces: Readonly<Record<string, readonly string[]>> = {
  '@localgrad/catalog': ['standardCatalog'],
  '@localgrad/core': ['clockAt'],
  '@localgrad/dgl': ['dgl'],
  '@localgrad/engine': ['compilePlan', 'createExecutor', 'createTrainStep', 'forwardBlocks'],
  '@localgrad/nn/losses': ['requireTarget'],
  '@localgrad/nn/optimizers': ['adamw', 'sgd'],
  '@localgrad/nn/random': ['heNormalFanOut', 'zeros'],
  '@localgrad/nn/tape': ['tapeHead'],
  '@localgrad/train': ['evaluateNetwork', 'probeModules', 'train'],
};

/** Types that fragments name without importing them. */
const types: Readonly<Record<string, readonly string[]>> = {
  '@localgrad/core': ['BackboneFactory', 'JsonObject', 'LocalLearningMethod', 'Optimizer', 'Schedule'],
  '@localgrad/data': ['DatasetSplits'],
  '@localgrad/nn/heads': ['NamedHeadFactory'],
  '@localgrad/train': ['TrainingCheckpoint'],
};

/** `options` stands for the options of what the page is about. */
const optionsOf: Readonly<Record<string, string>> = {
  'docs/browser.md': "import('@localgrad/train').TrainOptions",
  'packages/asynchronous/README.md': "import('@localgrad/train').TrainOptions",
  'packages/bench/README.md': "Parameters<typeof import('@localgrad/bench').benchStep>[0]",
  'packages/trackers/README.md': "import('@localgrad/train').TrainOptions",
  'packages/train/README.md': "import('@localgrad/train').TrainOptions",
};

/** Files that code in the documentation imports, because they are the reader's. */
export const readersFiles: Readonly<Record<string, string>> = {
  'packages/src/index.ts':
    "import type { LocalLearningMethod } from '@localgrad/core';\nexport declare const myMethod: () => LocalLearningMethod;\n",
  'packages/pipeline/build.d.mts':
    "import type { WorkerPlan } from '@localgrad/pipeline';\nexport declare const build: (config: { modules: number }) => WorkerPlan;\n",
};

/** Declarations of the names above that the code uses and does not declare, in one line. */
export function declarationsFor(page: string, code: string): string {
  const isFree = (name: string) =>
    new RegExp(`(?<!\\w|(?<!\\.)\\.)${name}\\b`).test(code) &&
    !new RegExp(
      `\\b(?:const|let|function)(?: \\w+)? (?:(?! of )[^=;])*\\b${name}\\b(?:(?! of )[^=;])*=|^import [^;]*\\b${name}\\b[^;]*;`,
      'm',
    ).test(code);
  const declare = (name: string, type: string) => (isFree(name) ? [`declare const ${name}: ${type};`] : []);
  const importAll = (names: Readonly<Record<string, readonly string[]>>, keyword: string) =>
    Object.entries(names).flatMap(([module, exported]) => {
      const used = exported.filter(isFree);
      return used.length === 0 ? [] : [`${keyword} { ${used.join(', ')} } from '${module}';`];
    });
  const options = optionsOf[page];
  return [
    ...Object.entries(readers).flatMap(([name, type]) => declare(name, type)),
    ...(options === undefined ? [] : declare('options', options)),
    ...importAll(namespaces, 'import'),
    ...importAll(types, 'import type'),
    ...(isFree('tf') ? ["import * as tf from '@tensorflow/tfjs';"] : []),
    'export {};',
  ].join(' ');
}
