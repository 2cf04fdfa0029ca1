import {
  composedDecorator,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import { type LamOptions, lam, lamOptionNames } from '@localgrad/lam';
import { type MlmOptions, mlm, mlmOptionNames } from '@localgrad/mlm';

export interface MlaanOptions extends MlmOptions, LamOptions {
  /**
   * `clean` (default): every module has both losses, every average is updated, and statistics are updated once per
   * step. `officialCode`: the computation of the published training script (docs/methods/mlaan.md §2, §3). Individual
   * options override both.
   */
  readonly variant?: 'clean' | 'officialCode';
}

const defaults: MlaanOptions = {
  window: 2,
  independentWeight: 0.001,
  cascadeWeight: 0.999,
  on: 'cascaded',
  momentum: 0.995,
};

const officialCode: MlaanOptions = {
  incompleteWindows: 'skip',
  finalLoss: 'cascaded',
  statisticsUpdates: 'perForward',
  emaUpdate: 'lastOnly',
  emaTime: 'beforeStep',
};

/**
 * MLAAN (Zhang et al., AAAI 2025): `lam(mlm(method))` with the paper's settings.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function mlaan(of: LocalLearningMethod, options: MlaanOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('mlaan', options, ['variant', ...mlmOptionNames, ...lamOptionNames]);
  const { variant = 'clean', ...given } = options;
  requireOption(['clean', 'officialCode'].includes(variant), 'mlaan', 'variant', variant, 'clean, officialCode');
  if (variant === 'officialCode' && given.prune === true && given.incompleteWindows === undefined) {
    throw new LocalgradError(
      'invalid-option',
      "mlaan: options 'prune' and variant: 'officialCode', which skips incomplete windows, together would leave modules near the input without any loss; add incompleteWindows: 'cut', or remove one of the two.",
      { prune: true, variant },
    );
  }
  const settings: MlaanOptions = { ...defaults, ...(variant === 'officialCode' ? officialCode : {}), ...given };
  const { mlmOptions, lamOptions } = split(settings);
  return composedDecorator({ decorator: 'mlaan', of, options }, (name) =>
    lam(mlm(of, mlmOptions, name), lamOptions, name),
  );
}

/** `mlaan` with its options, as a decorator for `compose`. */
export function withMlaan(options: MlaanOptions = {}): MethodDecorator {
  return (method) => mlaan(method, options);
}

function split(settings: MlaanOptions): { mlmOptions: MlmOptions; lamOptions: LamOptions } {
  const isMlm = (name: string) => mlmOptionNames.includes(name);
  const entries = Object.entries(settings);
  return {
    mlmOptions: Object.fromEntries(entries.filter(([name]) => isMlm(name))),
    lamOptions: Object.fromEntries(entries.filter(([name]) => !isMlm(name))),
  };
}
