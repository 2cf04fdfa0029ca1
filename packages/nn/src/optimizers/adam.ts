import { at, type Optimizer, type Parameter, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { keep, scalar, type Tensor } from '@tensorflow/tfjs';
import {
  type ParameterOptions,
  parameterConfig,
  parameterOptionNames,
  resolveParameterOptions,
} from './parameter-rules.js';
import { Slots } from './slots.js';

export interface AdamOptions extends ParameterOptions {
  /** Learning rate without a schedule; stored in the config. */
  readonly learningRate: number;
  /** Decay rates of the moving averages of gradient and squared gradient; default [0.9, 0.999]. */
  readonly betas?: readonly [first: number, second: number];
  /** Added to the denominator; default 1e-8. */
  readonly epsilon?: number;
  /** `adam`: L2 decay added to the gradient, default 0. `adamw`: decay of the weights themselves, default 1e-2. */
  readonly weightDecay?: number;
}

/** PyTorch's Adam. @throws LocalgradError `invalid-option` */
export function adam(options: AdamOptions): Optimizer {
  return createAdam('adam', options, 0, false);
}

/** PyTorch's AdamW: Adam with decoupled weight decay. @throws LocalgradError `invalid-option` */
export function adamw(options: AdamOptions): Optimizer {
  return createAdam('adamw', options, 1e-2, true);
}

const counts = 'updates';

function createAdam(name: string, options: AdamOptions, defaultDecay: number, decoupled: boolean): Optimizer {
  rejectUnknownKeys(name, options, ['learningRate', 'betas', 'epsilon', 'weightDecay', ...parameterOptionNames]);
  const { learningRate, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = defaultDecay } = options;
  requireOption(Number.isFinite(learningRate) && learningRate >= 0, name, 'learningRate', learningRate, 'numbers ≥ 0');
  requireOption(
    Array.isArray(betas) && betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1),
    name,
    'betas',
    betas,
    'two numbers in [0, 1)',
  );
  requireOption(Number.isFinite(epsilon) && epsilon >= 0, name, 'epsilon', epsilon, 'numbers ≥ 0');
  requireOption(Number.isFinite(weightDecay) && weightDecay >= 0, name, 'weightDecay', weightDecay, 'numbers ≥ 0');
  const [beta1, beta2] = betas;
  const { settingsOf, members } = resolveParameterOptions(name, weightDecay, options);
  const moments = new Slots(name, ['first', 'second']);
  const updates = new UpdateCounts();
  return {
    config: {
      optimizer: name,
      learningRate,
      betas: [beta1, beta2],
      epsilon,
      weightDecay,
      ...parameterConfig(options),
    },
    ...members,
    stateBytes: ({ size }) => 2 * 4 * size + 4,
    update(gradients, context) {
      const requests = gradients.map(({ parameter, gradient }) => {
        const settings = settingsOf(parameter);
        const [first, second] = [moments.get('first', parameter), moments.get('second', parameter)];
        return {
          value: parameter.value,
          gradient,
          moments: first === undefined || second === undefined ? undefined : { first, second },
          update: updates.increment(parameter),
          learningRate: context.learningRate * settings.learningRateScale,
          betas: [beta1, beta2] as const,
          epsilon,
          weightDecay: settings.weightDecay,
          decoupled,
        };
      });
      currentKernels()
        .adamUpdateAll(requests)
        .forEach(({ value, first, second }, index) => {
          const { parameter } = at(gradients, index, 'gradient');
          parameter.assign(value);
          moments.set('first', parameter, first);
          moments.set('second', parameter, second);
        });
    },
    state: () => new Map([...moments.all, ...updates.tensors()]),
    load(state) {
      const entries = [...state];
      const isCount = ([key]: readonly [string, Tensor]) => key.startsWith(`${counts}/`);
      moments.load(new Map(entries.filter((entry) => !isCount(entry))));
      updates.load(entries.filter(isCount));
    },
    dispose() {
      moments.dispose();
      updates.dispose();
    },
  };
}

/** Number of updates of each parameter; converted to tensors when the state is read. */
class UpdateCounts {
  readonly #counts = new Map<string, number>();
  readonly #tensors = new Map<string, Tensor>();

  increment({ name }: Parameter): number {
    this.#release();
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count;
  }

  tensors(): ReadonlyMap<string, Tensor> {
    this.#release();
    for (const [name, count] of this.#counts) this.#tensors.set(`${counts}/${name}`, keep(scalar(count)));
    return this.#tensors;
  }

  load(entries: readonly (readonly [string, Tensor])[]): void {
    this.dispose();
    for (const [key, tensor] of entries) {
      this.#counts.set(key.slice(counts.length + 1), at(tensor.dataSync(), 0, `value in state '${key}'`));
      tensor.dispose();
    }
  }

  dispose(): void {
    this.#release();
    this.#counts.clear();
  }

  #release(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
