import { standardCatalog } from '@localgrad/catalog';
import { createNetwork, type Network, type Optimizer, resolvePartition } from '@localgrad/core';
import { compilePlan, type GradientDelayOptions, type MemoryPolicy } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';

/** What main program and workers build their plan from. */
export interface FixtureConfig {
  readonly method: string;
  readonly backbone?: string;
  readonly modules?: number;
  readonly memory?: MemoryPolicy;
  readonly optimizer?: string;
  readonly seed?: number;
  readonly delay?: number;
  readonly gradientDelay?: GradientDelayOptions;
  /** Ends or blocks the thread of a module (default: the last one), or throws an error, at this step. */
  readonly death?: { readonly step: number; readonly how: 'exit' | 'error' | 'hang'; readonly module?: number };
}

export const imageShape = [8, 8, 2] as const;
export const classes = 3;

/** A small network with a plan and an optimizer. */
export function build(config: FixtureConfig) {
  const {
    method,
    backbone: name = 'tiny',
    modules = 4,
    memory = 'residuals',
    optimizer = 'sgd',
    seed = 7,
    delay = 0,
    gradientDelay = { steps: 0 },
  } = config;
  const scope = createScope(seed);
  const backbone = standardCatalog.backbone(name).build({ inputShape: imageShape, classes, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const options = { scope, memory, delay, gradientDelay };
  const compiled = compilePlan(network, standardCatalog.method(method).plan(network), options);
  const made = standardCatalog.optimizer(optimizer, { learningRate: 0.05 });
  return { compiled, optimizer: dying(made, network, config), scope };
}

function dying(optimizer: Optimizer, { modules }: Network, { death }: FixtureConfig): Optimizer {
  if (death === undefined) return optimizer;
  const { module = modules.length - 1 } = death;
  const weights = new Set(modules[module]?.blocks.flatMap(({ parameters }) => parameters));
  const update: Optimizer['update'] = (gradients, context) => {
    if (context.clock.step === death.step && gradients.some(({ parameter }) => weights.has(parameter))) {
      if (death.how === 'exit') process.exit(3);
      if (death.how === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      throw new Error('the optimizer is broken');
    }
    optimizer.update(gradients, context);
  };
  return Object.assign(Object.create(optimizer), { update });
}
