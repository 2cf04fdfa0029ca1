import { LocalgradError, type Optimizer } from '@localgrad/core';
import { resolveNames } from '@localgrad/runs';
import type { MeasuredNetwork } from './options.js';

const learningRate = 0.01;
const defaultOptimizer = 'sgd';

/** The optimizer of the measured steps. @throws LocalgradError `unknown-name`, `invalid-option` */
export async function optimizerOf({
  optimizer = defaultOptimizer,
}: Pick<MeasuredNetwork, 'optimizer'>): Promise<Optimizer> {
  const { catalog } = await resolveNames({ optimizer });
  return catalog.optimizer(optimizer, { learningRate });
}

/** @throws LocalgradError `invalid-option` unless the options ask for what the peers measure: SGD, without accumulation */
export function requirePeerOptimization(
  peer: string,
  { optimizer = defaultOptimizer, accumulate = 1 }: MeasuredNetwork,
): void {
  if (optimizer === defaultOptimizer && accumulate === 1) return;
  throw new LocalgradError(
    'invalid-option',
    `${peer} measures optimizer '${defaultOptimizer}' without accumulation only; found optimizer '${optimizer}', accumulate ${accumulate}.`,
  );
}
