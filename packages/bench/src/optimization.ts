import { LocalgradError, type Optimizer } from '@localgrad/core';
import { clipped } from '@localgrad/nn/optimizers';
import { resolveNames } from '@localgrad/runs';
import type { MeasuredNetwork } from './options.js';

const learningRate = 0.01;
const defaultOptimizer = 'sgd';

/** The optimizer of the measured steps. @throws LocalgradError `unknown-name`, `invalid-option` */
export async function optimizerOf({
  optimizer: name = defaultOptimizer,
  clipNorm,
}: Pick<MeasuredNetwork, 'optimizer' | 'clipNorm'>): Promise<Optimizer> {
  const { catalog } = await resolveNames({ optimizer: name });
  const optimizer = catalog.optimizer(name, { learningRate });
  return clipNorm === undefined ? optimizer : clipped(optimizer, { norm: clipNorm });
}

/** @throws LocalgradError `invalid-option` unless the options ask for what the peers measure: SGD, without clipping and accumulation */
export function requirePeerOptimization(
  peer: string,
  { optimizer = defaultOptimizer, clipNorm, accumulate = 1 }: MeasuredNetwork,
): void {
  if (optimizer === defaultOptimizer && clipNorm === undefined && accumulate === 1) return;
  const clipping = clipNorm === undefined ? '' : `, clipNorm ${clipNorm}`;
  throw new LocalgradError(
    'invalid-option',
    `${peer} measures optimizer '${defaultOptimizer}' without clipping and accumulation only; found optimizer '${optimizer}'${clipping}, accumulate ${accumulate}.`,
  );
}
