import { type AugLocalOptions, auglocal } from '@localgrad/auglocal';
import { backprop } from '@localgrad/backprop';
import { type JsonObject, LocalgradError, type LocalLearningMethod } from '@localgrad/core';
import { type DglOptions, dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { type HpffOptions, hpff } from '@localgrad/hpff';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { type LamOptions, lam } from '@localgrad/lam';
import { type LeanMlaanOptions, leanMlaan } from '@localgrad/lean-mlaan';
import { type ManOptions, man } from '@localgrad/man';
import { type MlaanOptions, mlaan } from '@localgrad/mlaan';
import { type MlmOptions, mlm } from '@localgrad/mlm';
import { type MonoForwardOptions, monoForward } from '@localgrad/mono-forward';
import { type PredsimOptions, predsim } from '@localgrad/predsim';
import { type SequentialOptions, sequential } from '@localgrad/sequential';
import { createCatalog } from './catalog.js';
import type { DecoratorFactory, Entry, Factories, FactoryContext } from './factories.js';
import { backbones, datasets, heads, optimizers, schedules } from './standard-things.js';

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
  },
  infopro: {
    description: 'InfoPro: reconstruction and classification (or contrastive) losses per module.',
    create: (options) => infopro(options as InfoProOptions),
  },
  auglocal: {
    description: 'AugLocal: auxiliary networks of layers sampled from the rest of the network.',
    create: (options) => auglocal(options as AugLocalOptions),
  },
  hpff: {
    description: 'HPFF: windows of modules with patched reconstruction, and a classifier on each module.',
    create: (options) => hpff(options as HpffOptions),
  },
  predsim: {
    description: 'Local error signals: a local classifier and similarity matching for each module.',
    create: (options) => predsim(options as PredsimOptions),
  },
  'mono-forward': {
    description: 'Mono-Forward: each module trains with a projection of all its outputs to class scores.',
    create: (options) => monoForward(options as MonoForwardOptions),
  },
};

const decorators: Readonly<Record<string, Entry<DecoratorFactory>>> = {
  mlm: {
    description: 'Adds losses that train windows of adjacent modules.',
    create: (of, options) => mlm(of, options as MlmOptions),
  },
  lam: {
    description: 'Extends auxiliary networks with copies of later blocks and their moving averages.',
    create: (of, options) => lam(of, options as LamOptions),
  },
  mlaan: {
    description: 'MLAAN: mlm and lam together.',
    create: (of, options) => mlaan(of, options as MlaanOptions),
  },
  'lean-mlaan': {
    description: 'Lean MLAAN: pooled chains without averages, and a last window that costs no memory. Not published.',
    create: (of, options) => leanMlaan(of, options as LeanMlaanOptions),
  },
  man: {
    description: 'Momentum auxiliary networks: heads behind the next block and its moving average (MAN, MAN++).',
    create: (of, options) => man(of, options as ManOptions),
  },
  sequential: {
    description: 'Trains the modules of a method one after the other, in phases.',
    create: (of, options) => sequential(of, options as SequentialOptions),
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
function dglWithAnyHead(options: JsonObject, { catalog }: FactoryContext): LocalLearningMethod {
  const { head, ...others } = options;
  if (typeof head !== 'string' || Object.hasOwn(heads, head)) return dgl(options as DglOptions);
  const method = dgl({ ...(others as DglOptions), head: catalog.head(head) });
  return { ...method, config: { ...method.config, head } };
}
