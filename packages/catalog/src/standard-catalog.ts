import { type AugLocalOptions, auglocal } from '@localgrad/auglocal';
import { backprop } from '@localgrad/backprop';
import { type JsonObject, LocalgradError, type LocalLearningMethod } from '@localgrad/core';
import { type DglOptions, dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { type LamOptions, lam } from '@localgrad/lam';
import { type MlaanOptions, mlaan } from '@localgrad/mlaan';
import { type MlmOptions, mlm } from '@localgrad/mlm';
import { createCatalog } from './catalog.js';
import type { DecoratorFactory, Entry, Factories, FactoryContext } from './factories.js';
import { backbones, datasets, heads, optimizers, schedules } from './standard-things.js';

const methods: Readonly<Record<string, Entry<Factories['methods']>>> = {
  backprop: {
    description: 'End-to-end training with one backward pass through the whole network.',
    create: withoutOptions(backprop),
  },
  greedy: {
    description: 'Each module trains with a linear classifier of its own.',
    create: withoutOptions(greedy),
  },
  dgl: {
    description: 'Decoupled Greedy Learning: each module trains with an auxiliary network of its own.',
    create: dglWithAnyHead,
  },
  infopro: {
    description: 'InfoPro: reconstruction and classification (or contrastive) losses for each module.',
    create: (options) => infopro(options as InfoProOptions),
  },
  auglocal: {
    description: 'AugLocal: auxiliary networks of layers sampled from the rest of the network.',
    create: (options) => auglocal(options as AugLocalOptions),
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

/** The expression of end-to-end training: what costs and results of other methods are related to. */
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

/** Heads of this repository take the options that stand beside them; any other head is an expression of its own. */
function dglWithAnyHead(options: JsonObject, { catalog }: FactoryContext): LocalLearningMethod {
  const { head, ...others } = options;
  if (typeof head !== 'string' || Object.hasOwn(heads, head)) return dgl(options as DglOptions);
  const method = dgl({ ...(others as DglOptions), head: catalog.head(head) });
  return { ...method, config: { ...method.config, head } };
}
