import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import {
  createNetwork,
  type LocalLearningMethod,
  type Network,
  recomputeMode,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createExecutor, type MemoryPolicy, predict } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { activationToPyTorch, createScope, sgd, weightToPyTorch } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assign, largestError, loadOracle, relativeL2 } from './load.js';

interface MiniCase {
  readonly local: Readonly<Record<string, number>>;
  readonly sgd_losses: readonly number[];
  readonly splits?: readonly string[];
}

const mini = loadOracle<{ cases: Readonly<Record<string, MiniCase>> }>('mini.safetensors');
const full = loadOracle<{ loss: number; everyNth: Readonly<Record<string, number>> }>('e2e-resnet32.safetensors');
const TOLERANCE = 1e-4;

const methods: Readonly<Record<string, { method: LocalLearningMethod; modules: number; weights?: string }>> = {
  e2e: { method: backprop(), modules: 1 },
  greedy_k4: { method: greedy(), modules: 4, weights: 'greedy_k4' },
  greedy_k7: { method: greedy(), modules: 7, weights: 'greedy_k7' },
  dgl_k4: { method: dgl({ head: '1c2f', featureDimension: 12 }), modules: 4, weights: 'infopro_ce_k4' },
  dgl_k7: { method: dgl({ head: '1c2f', featureDimension: 12 }), modules: 7, weights: 'infopro_ce_k7' },
};

/** For these the reference holds the weights after three steps; for the others only the losses of the three. */
const withWeightsAfter = ['e2e', 'dgl_k4'];

/** Our name → the reference's: heads are named by the block they sit on. */
function referenceName(name: string, splits: readonly string[]): string {
  const [, module, rest] = /^heads\.module(\d+)\.(.*)$/.exec(name) ?? [];
  return module === undefined ? name : `aux_classifier_${splits[Number(module)]}.${rest}`;
}

function miniNetwork(modules: number): { network: Network; scope: ReturnType<typeof createScope> } {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 14, widths: [4, 4, 8, 16] }).build({
    inputShape: [16, 16, 3],
    classes: 10,
    scope,
  });
  const lastBlocks = [
    [1, 0],
    [2, 0],
    [3, 0],
    [3, 1],
  ] as const;
  return {
    network: createNetwork(backbone, resolvePartition(backbone.blocks, modules === 4 ? { lastBlocks } : { modules })),
    scope,
  };
}

describe.each(['cpu', 'wasm'])('the PyTorch reference, small, on %s', (backendName) => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend(backendName);
  });
  afterAll(() => backend.dispose());

  const batch = (index: number) => {
    const { shape, data } = mini.activation(`input/x_${index}`);
    return {
      images: tf.tensor4d(data, shape as [number, number, number, number]),
      targets: { labels: tf.tensor1d(mini.labels(`input/y_${index}`), 'int32') },
    };
  };

  it('gives the features of every block, and the logits', () => {
    const { network, scope } = miniNetwork(1);
    for (const [name, parameter] of scope.all())
      if (parameter.kind === 'weight') assign(parameter, mini.weight(`weights/${name}`));
    let x: tf.Tensor4D = batch(0).images;
    network.backbone.blocks.forEach(({ block }, index) => {
      const { output } = block.forward(x, recomputeMode);
      const name = index === 0 ? 'relu' : block.name;
      expect(largestError(output.dataSync(), mini.activation(`feat/${name}`).data), name).toBeLessThanOrEqual(
        TOLERANCE,
      );
      x = output;
    });
    const logits = network.backbone.classifier.predict?.(x).dataSync() as Float32Array;
    expect(largestError(logits, mini.activation('e2e/logits').data), 'logits').toBeLessThanOrEqual(TOLERANCE);
  });

  for (const memory of ['residuals', 'recompute'] as MemoryPolicy[]) {
    it.each(Object.entries(methods))(
      `${memory}: %s has the reference's losses, gradients, statistics and weights`,
      (name, { method, modules, weights }) => {
        const { network, scope } = miniNetwork(modules);
        const compiled = compilePlan(network, method.plan(network), { scope, memory });
        const { splits = [], local, sgd_losses: lastLosses } = mini.metadata.cases[name] as MiniCase;
        const ofParameter = (parameter: string) => referenceName(parameter, splits);
        for (const [parameterName, parameter] of compiled.parameters) {
          if (parameter.kind !== 'weight') continue;
          const reference = ofParameter(parameterName);
          assign(
            parameter,
            mini.weight(reference.startsWith('aux') ? `${weights}/weights/${reference}` : `weights/${reference}`),
          );
        }
        const executor = createExecutor(compiled);
        const optimizer = sgd({ learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
        let compared = 0;
        for (let step = 0; step < 3; step++) {
          const { losses } = executor.step(batch(step), {
            onGradient: (parameter, gradient) => {
              if (step === 0) {
                const reference = ofParameter(parameter.name);
                const error = largestError(gradient.dataSync(), mini.weight(`${name}/grad/${reference}`));
                expect(error, `gradient of ${parameter.name}`).toBeLessThanOrEqual(TOLERANCE);
                compared++;
              }
              optimizer.update(parameter, gradient, 0.02);
            },
          });
          expect(losses.get('final')?.dataSync()[0]).toBeCloseTo(lastLosses[step] as number, 4);
          if (step > 0) continue;
          splits.forEach((split, module) => {
            expect(losses.get(`module${module}`)?.dataSync()[0]).toBeCloseTo(
              local[`aux_classifier_${split}`] as number,
              5,
            );
          });
          const statistics = mini.names(`${name}/bn_after1/`);
          expect(statistics).toHaveLength(30);
          for (const statistic of statistics) {
            const actual = compiled.parameters.get(statistic)?.value.dataSync() as Float32Array;
            expect(largestError(actual, mini.weight(`${name}/bn_after1/${statistic}`)), statistic).toBeLessThanOrEqual(
              TOLERANCE,
            );
          }
        }
        const after = mini.names(`${name}/after3/`);
        const trained = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight');
        expect(compared).toBe(trained.length);
        expect(after).toHaveLength(withWeightsAfter.includes(name) ? trained.length : 0);
        for (const parameter of after.length === 0 ? [] : trained) {
          const reference = `${name}/after3/${ofParameter(parameter.name)}`;
          expect(largestError(parameter.value.dataSync(), mini.weight(reference)), reference).toBeLessThanOrEqual(
            TOLERANCE,
          );
        }
      },
    );
  }
});

describe('the PyTorch reference, ResNet-32 end to end, on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  const setUp = () => {
    const scope = createScope(1);
    const backbone = cifarResNet({ depth: 32 }).build({ inputShape: [32, 32, 3], classes: 10, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 1 }));
    const compiled = compilePlan(network, backprop().plan(network), { scope });
    for (const [name, parameter] of compiled.parameters)
      if (parameter.kind === 'weight') assign(parameter, full.weight(`weights/${name}`));
    const { shape, data } = full.activation('input/x');
    const images = tf.tensor4d(data, shape as [number, number, number, number]);
    return { network, compiled, images, targets: { labels: tf.tensor1d(full.labels('input/y'), 'int32') } };
  };
  /** Relative error over the entries that the fixture holds; `values` are in PyTorch's order. */
  const errorOf = (name: string, values: Float32Array) => {
    const nth = full.metadata.everyNth[name] ?? 1;
    return relativeL2(
      values.filter((_, index) => index % nth === 0),
      full.raw(name),
    );
  };

  it('agrees in the features of every block, and in the logits', () => {
    const { network, images } = setUp();
    let x = images;
    network.backbone.blocks.forEach(({ block }, index) => {
      x = block.forward(x, recomputeMode).output;
      const first = tf.slice(x, 0, 1);
      const name = `feat0/${index === 0 ? 'relu' : block.name}`;
      const features = activationToPyTorch({ shape: first.shape, data: first.dataSync() as Float32Array }).data;
      expect(errorOf(name, features), name).toBeLessThanOrEqual(TOLERANCE);
    });
    const logits = network.backbone.classifier.predict?.(x).dataSync() as Float32Array;
    expect(errorOf('logits', logits)).toBeLessThanOrEqual(TOLERANCE);
  });

  it('agrees in the loss, every gradient, all statistics, and the logits in evaluation after them', () => {
    const { network, compiled, images, targets } = setUp();
    const errors = new Map<string, number>();
    const { losses } = createExecutor(compiled).step(
      { images, targets },
      {
        onGradient: ({ name }, gradient) => {
          const { data } = weightToPyTorch({ shape: gradient.shape, data: gradient.dataSync() as Float32Array });
          errors.set(name, errorOf(`grad/${name}`, data));
        },
      },
    );
    expect([...errors.keys()].sort()).toEqual(full.names('grad/').sort());
    for (const [name, error] of errors) expect(error, `gradient of ${name}`).toBeLessThanOrEqual(TOLERANCE);
    expect(losses.get('final')?.dataSync()[0]).toBeCloseTo(full.metadata.loss, 4);
    const statistics = full.names('bn_after/');
    expect(statistics).toHaveLength(66);
    for (const name of statistics) {
      const statistic = compiled.parameters.get(name)?.value.dataSync() as Float32Array;
      expect(errorOf(`bn_after/${name}`, statistic), name).toBeLessThanOrEqual(TOLERANCE);
    }
    const evaluation = predict(network, images).dataSync() as Float32Array;
    expect(errorOf('eval_logits_after_one_train_forward', evaluation)).toBeLessThanOrEqual(TOLERANCE);
  });
});
