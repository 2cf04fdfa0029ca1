import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { createNetwork, type LocalLearningMethod, resolvePartition, type TrainingPlan } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createExecutor, createLiteralExecutor, type MemoryPolicy } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { mlaan } from '@localgrad/mlaan';
import { mlm } from '@localgrad/mlm';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let backend: BackendHandle;
beforeAll(async () => {
  backend = await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');
});
afterAll(() => backend.dispose());

type Values = ReadonlyMap<string, Float32Array>;

interface StepOutcome {
  readonly losses: Values;
  readonly gradients: Values;
  /** Averages and running statistics after the step, without the optimizer's weights. */
  readonly state: Values;
}

interface Setting {
  readonly method: LocalLearningMethod;
  readonly modules: number;
  readonly memory?: MemoryPolicy;
  readonly literal?: boolean;
  readonly depth?: number;
  readonly batch?: number;
  /** Changes the plan before it is compiled. */
  readonly rewrite?: (plan: TrainingPlan) => TrainingPlan;
}

/** Runs one SGD step from the same initial state for every method. */
async function step({
  method,
  modules,
  memory = 'residuals',
  literal = false,
  depth = 14,
  batch = 6,
  rewrite,
}: Setting): Promise<StepOutcome> {
  const scope = createScope(7);
  const backbone = cifarResNet({ depth, widths: [4, 4, 8, 8] }).build({ inputShape: [8, 8, 3], classes: 4, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules, stemModule: 'merged' }));
  const plan = method.plan(network);
  const compiled = compilePlan(network, rewrite === undefined ? plan : rewrite(plan), { scope, memory });
  const random = createRandom(3);
  const images = tf.tensor4d(
    Float32Array.from({ length: batch * 192 }, () => random.normal()),
    [batch, 8, 8, 3],
  );
  const pixels = tf.tensor4d(
    Float32Array.from({ length: batch * 192 }, () => random.uniform()),
    [batch, 8, 8, 3],
  );
  const labels = tf.tensor1d(
    Int32Array.from({ length: batch }, () => random.integer(4)),
    'int32',
  );
  const updates = new Map<string, tf.Tensor>();
  const executor = (literal ? createLiteralExecutor : createExecutor)(compiled);
  const { losses, terms } = executor.step(
    { images, targets: { labels, images: pixels } },
    {
      onGradients: (group) => {
        for (const { parameter, gradient } of group) updates.set(parameter.name, gradient);
      },
    },
  );
  const gradients = await read(updates);
  for (const [name, gradient] of updates) {
    const parameter = compiled.parameters.get(name);
    parameter?.assign(tf.tidy(() => tf.sub(parameter.value, tf.mul(gradient, 0.1))));
  }
  for (const { average, live, momentum } of compiled.averages) {
    average.assign(tf.tidy(() => tf.add(tf.mul(average.value, momentum), tf.mul(live.value, 1 - momentum))));
  }
  const outcome = {
    losses: await read(losses),
    gradients,
    state: await read(
      new Map(
        [...compiled.parameters].flatMap(([name, { kind, value }]) =>
          kind === 'weight' ? [] : [[name, value] as const],
        ),
      ),
    ),
  };
  tf.dispose([images, pixels, labels, ...losses.values(), ...terms.values(), ...updates.values()]);
  for (const parameter of scope.all().values()) parameter.dispose();
  return outcome;
}

async function read(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Values> {
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, Float32Array.from(await tensor.data()));
  return values;
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}

/**
 * Expects equal names, and values within `tolerance` of their norm, or of a thousandth of the largest norm (for exact
 * zeros).
 */
function expectSame(found: Values, wanted: Values, tolerance: number): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  const floor = 1e-3 * Math.max(0, ...[...wanted.values()].map(norm));
  for (const [name, values] of wanted) {
    const difference = values.map((value, index) => value - (found.get(name)?.[index] ?? Number.NaN));
    expect(norm(difference) / Math.max(norm(values), floor, 1e-30), name).toBeLessThan(tolerance);
  }
}

const hosts: Readonly<Record<string, LocalLearningMethod>> = {
  greedy: greedy(),
  dgl: dgl({ head: '1c2f', featureDimension: 5 }),
  infopro: infopro({ ixx1: 3, ixy1: 0.5, ixx2: 1, ixy2: 2, featureDimension: 5 }),
  contrast: infopro({ ixx1: 3, ixy1: 0.5, ixx2: 1, ixy2: 2, featureDimension: 5, loss: 'contrast' }),
  features: infopro({ ixx1: 3, ixy1: 0.5, ixx2: 1, ixy2: 2, featureDimension: 5, reconstruct: 'input' }),
};

describe('the engine and the literal procedure', () => {
  it('compute the same losses, gradients, averages and statistics for random methods, partitions and windows', async () => {
    const configuration = fc.record({
      host: fc.constantFrom(...Object.keys(hosts)),
      modules: fc.integer({ min: 2, max: 6 }),
      window: fc.integer({ min: 1, max: 4 }),
      independentWeight: fc.constantFrom(0.001, 0.5, 1),
      cascadeWeight: fc.constantFrom(0.999, 0.5),
      incompleteWindows: fc.constantFrom<'cut' | 'skip'>('cut', 'skip'),
      finalLoss: fc.constantFrom<'both' | 'cascaded'>('both', 'cascaded'),
      chains: fc.constantFrom('none', 'cascaded', 'all', 'ema'),
      memory: fc.constantFrom<MemoryPolicy>('residuals', 'recompute'),
    });
    await fc.assert(
      fc.asyncProperty(configuration, async ({ host, modules, memory, chains, ...options }) => {
        const windowed = mlm(hosts[host] as LocalLearningMethod, { ...options, statisticsUpdates: 'perForward' });
        // If all windows are skipped, no head is left for a chain.
        const hasHeads = options.incompleteWindows === 'cut' || options.window < modules;
        const style =
          chains === 'ema' ? ({ on: 'all', chain: 'ema' } as const) : { on: chains as 'all', momentum: 0.8 };
        const method = chains === 'none' || !hasHeads ? windowed : lam(windowed, style);
        const ours = await step({ method, modules, memory });
        const literal = await step({ method, modules, memory, literal: true });
        expectSame(ours.losses, literal.losses, 1e-5);
        expectSame(ours.gradients, literal.gradients, 1e-4);
        // The published code runs the stem once for any windows; the literal procedure runs it in each.
        const withoutStem = (state: Values) =>
          new Map([...state].filter(([name]) => options.incompleteWindows === 'cut' || !name.startsWith('bn1.')));
        expectSame(withoutStem(ours.state), withoutStem(literal.state), 1e-4);
      }),
      { numRuns: process.env.LOCALGRAD_TESTS === 'all' ? 30 : 10 },
    );
  });
});

describe('laws of composition (docs/methods/engine.md §8)', () => {
  it.each(Object.keys(hosts))('mlm(%s) with weights 1 and 0 equals the host', async (name) => {
    const host = hosts[name] as LocalLearningMethod;
    const ours = await step({ method: mlm(host, { window: 3, independentWeight: 1, cascadeWeight: 0 }), modules: 5 });
    expect(ours).toEqual(await step({ method: host, modules: 5 }));
  });

  it.each([4, 7])(
    'a window of %i on 4 modules with only the last cascaded loss equals end-to-end training',
    async (window) => {
      const method = mlm(greedy(), { window, cascadeWeight: 1 });
      const rewrite = (plan: TrainingPlan) => ({
        ...plan,
        objectives: plan.objectives.filter(({ id }) => id === 'final.cascaded'),
      });
      const cascaded = await step({ method, modules: 4, rewrite });
      const endToEnd = await step({ method: backprop(), modules: 4 });
      expectSame(cascaded.gradients, endToEnd.gradients, 1e-5);
    },
  );

  it.each([1, 2, 3])('a cascaded loss over %i modules trains exactly these and its head', async (window) => {
    const blocksOf = ['conv1', 'layer1.0', 'layer1.1', 'layer2.0', 'layer2.1', 'layer3.0', 'layer3.1'];
    for (const end of [0, 2, 4]) {
      const id = `module${end}.cascaded`;
      const { gradients } = await step({
        method: mlaan(greedy(), { window }),
        modules: 6,
        rewrite: (plan) => ({ ...plan, objectives: plan.objectives.filter((objective) => objective.id === id) }),
      });
      const reached = blocksOf.filter((block) => [...gradients.keys()].some((name) => name.startsWith(block)));
      const first = Math.max(0, end - window + 1);
      expect(reached).toEqual(blocksOf.slice(first === 0 ? 0 : first + 1, end + 2));
      const others = [...gradients.keys()].filter(
        (name) => name.startsWith('heads.') && !name.startsWith(`heads.${id}.`),
      );
      expect(others).toEqual([]);
      expect([...gradients.keys()].filter((name) => name.includes('.ema.'))).toEqual([]);
    }
  });

  it('officialCode: module 0 and the stem are trained only by the first cascaded loss', async () => {
    const official = (cascadeWeight: number) =>
      step({ method: mlaan(greedy(), { variant: 'officialCode', cascadeWeight, independentWeight: 1 }), modules: 6 });
    const { gradients } = await official(0);
    const norms = [...gradients].filter(([name]) => /^(conv1|bn1|layer1\.0)\./.test(name));
    expect(norms.filter(([, values]) => norm(values) > 0)).toEqual([]);
    const withCascade = (await official(1)).gradients;
    const only = await step({
      method: mlaan(greedy(), { variant: 'officialCode', cascadeWeight: 1, independentWeight: 1 }),
      modules: 6,
      rewrite: (plan) => ({ ...plan, objectives: plan.objectives.filter(({ id }) => id === 'module1.cascaded') }),
    });
    for (const name of ['conv1.weight', 'layer1.0.conv1.weight']) {
      expectSame(
        new Map([[name, withCascade.get(name) as Float32Array]]),
        new Map([[name, only.gradients.get(name) as Float32Array]]),
        1e-5,
      );
    }
  });

  it('a head shared by independent and cascaded losses runs once', async () => {
    let evaluations = 0;
    const counting: LocalLearningMethod = {
      ...greedy(),
      plan: (network) => {
        const plan = greedy().plan(network);
        return {
          ...plan,
          objectives: plan.objectives.map((objective) => {
            const { factory } = objective.head;
            if (factory === undefined) return objective;
            const counted = {
              ...factory,
              build: (...given: Parameters<typeof factory.build>) => {
                const head = factory.build(...given);
                return {
                  ...head,
                  evaluate: (...asked: Parameters<typeof head.evaluate>) => {
                    evaluations++;
                    return head.evaluate(...asked);
                  },
                };
              },
            };
            return { ...objective, head: { ...objective.head, factory: counted } };
          }),
        };
      },
    };
    const shared = mlm(counting, { heads: 'shared', independentWeight: 0.3, cascadeWeight: 0.7 });
    const ours = await step({ method: shared, modules: 4 });
    expect(evaluations).toBe(3);
    const literal = await step({ method: shared, modules: 4, literal: true });
    expect(evaluations).toBe(3 + 6);
    expectSame(ours.gradients, literal.gradients, 1e-5);
  });
});
