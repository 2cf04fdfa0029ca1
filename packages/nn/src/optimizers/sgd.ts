import { at, type Optimizer, type Parameter, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import {
  type ParameterOptions,
  parameterConfig,
  parameterOptionNames,
  resolveParameterOptions,
} from './parameter-rules.js';
import { Slots } from './slots.js';

export interface SgdOptions extends ParameterOptions {
  /** Learning rate without a schedule; stored in the config. */
  readonly learningRate: number;
  /** Default 0.9. */
  readonly momentum?: number;
  /** Default true, as in the methods' reference code. */
  readonly nesterov?: boolean;
  /** L2 weight decay, added to every gradient, including biases and batch norm. Default 1e-4. */
  readonly weightDecay?: number;
}

const slot = 'velocity';

/**
 * PyTorch's SGD: g ← g + weightDecay·p; v ← momentum·v + g (v = g at the first update);
 * p ← p − lr·(nesterov ? g + momentum·v : v).
 *
 * @throws LocalgradError `invalid-option`
 */
export function sgd(options: SgdOptions): Optimizer {
  rejectUnknownKeys('sgd', options, ['learningRate', 'momentum', 'nesterov', 'weightDecay', ...parameterOptionNames]);
  const { learningRate, momentum = 0.9, nesterov = momentum > 0, weightDecay = 1e-4 } = options;
  requireOption(Number.isFinite(learningRate) && learningRate >= 0, 'sgd', 'learningRate', learningRate, 'numbers ≥ 0');
  requireOption(momentum >= 0 && momentum < 1, 'sgd', 'momentum', momentum, 'numbers in [0, 1)');
  requireOption(!nesterov || momentum > 0, 'sgd', 'nesterov', nesterov, 'false where momentum is 0');
  requireOption(Number.isFinite(weightDecay) && weightDecay >= 0, 'sgd', 'weightDecay', weightDecay, 'numbers ≥ 0');
  const { settingsOf, members } = resolveParameterOptions('sgd', weightDecay, options);
  const slots = new Slots('sgd', momentum === 0 ? [] : [slot]);
  const stateBytes = ({ size }: Parameter) => (momentum === 0 ? 0 : 4 * size);
  return {
    config: { optimizer: 'sgd', learningRate, momentum, nesterov, weightDecay, ...parameterConfig(options) },
    ...members,
    stateBytes,
    update(gradients, context) {
      const requests = gradients.map(({ parameter, gradient }) => {
        const settings = settingsOf(parameter);
        return {
          value: parameter.value,
          gradient,
          velocity: slots.get(slot, parameter),
          learningRate: context.learningRate * settings.learningRateScale,
          momentum,
          nesterov,
          weightDecay: settings.weightDecay,
        };
      });
      currentKernels()
        .sgdUpdateAll(requests)
        .forEach(({ value, velocity }, index) => {
          const { parameter } = at(gradients, index, 'gradient');
          parameter.assign(value);
          if (velocity !== undefined) slots.set(slot, parameter, velocity);
        });
    },
    state: () => slots.all,
    load: (state) => slots.load(state),
    dispose: () => slots.dispose(),
  };
}
