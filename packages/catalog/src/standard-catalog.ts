import { auglocal } from '@localgrad/auglocal';
import { backprop } from '@localgrad/backprop';
import { type JsonObject, LocalgradError, type LocalLearningMethod } from '@localgrad/core';
import { deepSupervision } from '@localgrad/deep-supervision';
import { type DglOptions, dgl } from '@localgrad/dgl';
import { dni } from '@localgrad/dni';
import { greedy } from '@localgrad/greedy';
import { hpff, hpffOptionNames } from '@localgrad/hpff';
import { infoProOptionNames, infopro } from '@localgrad/infopro';
import { lam, lamOptionNames } from '@localgrad/lam';
import { leanMlaan } from '@localgrad/lean-mlaan';
import { man } from '@localgrad/man';
import { mlaan } from '@localgrad/mlaan';
import { mlm, mlmOptionNames } from '@localgrad/mlm';
import { monoForward } from '@localgrad/mono-forward';
import { pff, pffOptionNames } from '@localgrad/pff';
import { predsim } from '@localgrad/predsim';
import { sequential } from '@localgrad/sequential';
import { createCatalog } from './catalog.js';
import type { DecoratorFactory, Entry, Factories, FactoryContext } from './factories.js';
import { backbones, datasets, heads, optimizers, schedules } from './standard-things.js';
import { uncheckedOptions } from './unchecked-options.js';

const methods: Readonly<Record<string, Entry<Factories['methods']>>> = {
  backprop: {
    description: 'End-to-end training with one backward pass through the whole network.',
    create: withoutOptions(backprop),
  },
  greedy: {
    description: 'Each module trains with its own linear classifier.',
    create: withoutOptions(greedy),
  },
  dgl: {
    description: 'Decoupled Greedy Learning: each module trains with its own auxiliary network.',
    create: dglWithAnyHead,
    options: ['head', 'widen', 'featureDimension'],
  },
  infopro: {
    description: 'InfoPro: reconstruction and classification (or contrastive) losses per module.',
    create: (options) => infopro(uncheckedOptions(options)),
    options: infoProOptionNames,
  },
  auglocal: {
    description: 'AugLocal: auxiliary networks of layers sampled from the rest of the network.',
    create: (options) => auglocal(uncheckedOptions(options)),
    options: ['depth', 'pyramid', 'form', 'layers'],
  },
  hpff: {
    description: 'HPFF: windows of modules with patched reconstruction, and a classifier on each module.',
    create: (options) => hpff(uncheckedOptions(options)),
    options: hpffOptionNames,
  },
  predsim: {
    description: 'Local error signals: a local classifier and similarity matching for each module.',
    create: (options) => predsim(uncheckedOptions(options)),
    options: ['loss', 'beta', 'decoderInputs', 'decoderStart', 'finalWeight'],
  },
  'mono-forward': {
    description: 'Mono-Forward: each module trains with a projection of all its outputs to class scores.',
    create: (options) => monoForward(uncheckedOptions(options)),
    options: ['features'],
  },
  dni: {
    description: 'DNI: each module trains with a synthetic gradient, which a small network predicts from its output.',
    create: (options) => dni(uncheckedOptions(options)),
    options: ['hidden', 'kernelSize', 'conditional'],
  },
};

const decorators: Readonly<Record<string, Entry<DecoratorFactory>>> = {
  mlm: {
    description: 'Adds losses that train windows of adjacent modules.',
    create: (of, options) => mlm(of, uncheckedOptions(options)),
    options: mlmOptionNames,
  },
  lam: {
    description: 'Extends auxiliary networks with copies of later blocks and their moving averages.',
    create: (of, options) => lam(of, uncheckedOptions(options)),
    options: lamOptionNames,
  },
  mlaan: {
    description: 'MLAAN: mlm and lam together.',
    create: (of, options) => mlaan(of, uncheckedOptions(options)),
    options: ['variant', ...mlmOptionNames, ...lamOptionNames],
  },
  'lean-mlaan': {
    description: 'Lean MLAAN: pooled chains without averages, and a last window that costs no memory. Not published.',
    create: (of, options) => leanMlaan(of, uncheckedOptions(options)),
    options: ['chainPool', 'maximumLength', 'finalWindow', 'insideWeight', 'share', 'part'],
  },
  man: {
    description: 'Momentum auxiliary networks: heads behind the next block and its moving average (MAN, MAN++).',
    create: (of, options) => man(of, uncheckedOptions(options)),
    options: ['momentum', 'scale', 'on', 'initialize', 'depth', 'emaTime'],
  },
  pff: {
    description: 'Patch feature fusion: auxiliary networks read one patch of the feature map after the other (HPFF).',
    create: (of, options) => pff(of, uncheckedOptions(options)),
    options: pffOptionNames,
  },
  'deep-supervision': {
    description: 'Adds losses in the middle of modules, which train them from there on back.',
    create: (of, options) => deepSupervision(of, uncheckedOptions(options)),
    options: ['after', 'head', 'weight'],
  },
  sequential: {
    description: 'Trains the modules of a method one after the other, in phases.',
    create: (of, options) => sequential(of, uncheckedOptions(options)),
    options: ['lengths'],
  },
};

/** Every method, decorator, backbone, data set, head, optimizer and schedule of localgrad. */
export const standardCatalog = createCatalog({
  methods,
  decorators,
  backbones,
  datasets,
  heads,
  optimizers,
  schedules,
});

/** The expression of end-to-end training, the reference for costs and results of other methods. */
export const endToEndMethod = 'backprop';

/** The expression of the method that commands use unless another is named. */
export const defaultMethod = 'dgl';

function withoutOptions(create: () => LocalLearningMethod): Factories['methods'] {
  return (options, { name }) => {
    const [key] = Object.keys(options);
    if (key !== undefined) {
      throw new LocalgradError('unknown-name', `Method '${name}' has no options; found '${key}'.`, { name, key });
    }
    return create();
  };
}

/** Options of localgrad's heads are options of dgl; any other head is an expression with its own options. */
function dglWithAnyHead(given: JsonObject, { catalog }: FactoryContext): LocalLearningMethod {
  const { head, ...others } = given;
  if (typeof head !== 'string' || Object.hasOwn(heads, head)) return dgl(uncheckedOptions(given));
  const options = uncheckedOptions<DglOptions>(others);
  const method = dgl({ ...options, head: catalog.head(head) });
  return { ...method, config: { ...method.config, head } };
}
