import {
  finalObjective,
  independentPlan,
  type LocalLearningMethod,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import { type LocalErrorOptions, localErrorHead } from './local-error-head.js';

export interface PredsimOptions extends Partial<LocalErrorOptions> {
  /** Weight of the loss of the network's own classifier. Default: 1 − beta with loss `predsim`, else 1. */
  readonly finalWeight?: number;
}

const losses = ['predsim', 'pred', 'sim'] as const;
const starts = ['zeros', 'uniform'] as const;

/**
 * Local error signals (Nøkland and Eidnes, ICML 2019; docs/methods/predsim.md): every module but the last is trained by
 * a local classifier (`pred`), by matching the similarities of samples to those of their classes (`sim`), or both.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function predsim(options: PredsimOptions = {}): LocalLearningMethod {
  checkOptions(options);
  const { loss = 'predsim', beta = 0.99, decoderInputs = 2048, decoderStart = 'zeros' } = options;
  const { finalWeight = loss === 'predsim' ? 1 - beta : 1 } = options;
  const factory = localErrorHead({ loss, beta, decoderInputs, decoderStart });
  return {
    specVersion: 'v1',
    name: 'predsim',
    config: { method: 'predsim', ...options },
    plan: (network) => {
      const plan = independentPlan('predsim', network, factory);
      const final = { ...finalObjective(network.modules.length), weight: finalWeight };
      return { ...plan, objectives: [...plan.objectives.slice(0, -1), final] };
    },
  };
}

function checkOptions(options: PredsimOptions): void {
  rejectUnknownKeys('predsim', options, ['loss', 'beta', 'decoderInputs', 'decoderStart', 'finalWeight']);
  const { loss = 'predsim', beta, decoderInputs, decoderStart = 'zeros', finalWeight = 1 } = options;
  const check = (option: keyof PredsimOptions, isAllowed: boolean, allowed: string) =>
    requireOption(isAllowed, 'predsim', option, options[option], allowed);
  check('loss', losses.includes(loss), losses.join(', '));
  check('beta', beta === undefined || loss === 'predsim', "no value unless loss is 'predsim'");
  check(
    'beta',
    beta === undefined || (beta > 0 && beta < 1),
    "numbers between 0 and 1; for one of the two losses alone use loss 'pred' or 'sim'",
  );
  for (const option of ['decoderInputs', 'decoderStart'] as const) {
    check(option, options[option] === undefined || loss !== 'sim', "no value with loss 'sim', which has no classifier");
  }
  check(
    'decoderInputs',
    decoderInputs === undefined || (Number.isInteger(decoderInputs) && decoderInputs > 0),
    'positive integers',
  );
  check('decoderStart', starts.includes(decoderStart), starts.join(', '));
  check('finalWeight', Number.isFinite(finalWeight) && finalWeight >= 0, 'finite numbers ≥ 0');
}
