import { type LayersModel, setBackend, Variable } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromLayersModel } from './index.js';
import { originOf } from './layers-backbone.js';
import {
  batchFor,
  difference,
  gradientsByBlocks,
  gradientsByTape,
  mobileNet,
  oblongCnn,
  recurrent,
  residualRecurrent,
  sequentialCnn,
} from './models.fixture.js';

beforeAll(async () => {
  await setBackend('cpu');
});

/** Compares loss, every gradient, and the moving statistics with those of the tape. */
function compare(model: LayersModel, tolerance = 1e-4): number {
  const own = fromLayersModel(model, { cuts: 1 });
  const batch = batchFor(model, 4);
  const byBlocks = gradientsByBlocks(own.network, batch);
  const byTape = gradientsByTape(model, batch);
  expect(difference(byBlocks.loss, byTape.loss)).toBeLessThan(1e-5);
  let compared = 0;
  for (const { layer, index, parameter } of originOf(own.network.backbone)?.bindings ?? []) {
    const variable = layer.weights[index];
    const gradient = byBlocks.gradients.get(parameter);
    const value = variable?.read();
    if (gradient === undefined || value === undefined) {
      // Statistics, which the tape's forward pass has moved, too.
      if (value !== undefined) expect(difference(parameter.value, value), parameter.name).toBeLessThan(1e-5);
      continue;
    }
    expect(value).toBeInstanceOf(Variable);
    const reference = value instanceof Variable ? byTape.gradients[value.name] : undefined;
    if (reference === undefined) throw new Error(`The tape has no gradient of '${parameter.name}'.`);
    expect(difference(gradient, reference), parameter.name).toBeLessThan(tolerance);
    expect(difference(reference, reference.mul(0)), parameter.name).toBeGreaterThan(1e-6);
    compared++;
  }
  expect(compared).toBe(Object.keys(byTape.gradients).length);
  own.dispose();
  return compared;
}

describe('gradients equal those of the tape', () => {
  it('sequential network: strided same padding, batch norm, separable convolution, dense layers', {
    timeout: 60_000,
  }, () => {
    expect(compare(sequentialCnn())).toBe(12);
  });

  it('functional network: inverted residual, excitation, concatenation', { timeout: 60_000 }, () => {
    expect(compare(mobileNet())).toBe(28);
  });

  it('oblong filters and strides, with both kinds of padding', { timeout: 60_000 }, () => {
    expect(compare(oblongCnn())).toBe(14);
  });

  it('recurrent network: rows of images, both directions', { timeout: 60_000 }, () => {
    expect(compare(recurrent())).toBe(13);
  });

  it('recurrent network with shortcuts from its gray images', { timeout: 60_000 }, () => {
    expect(compare(residualRecurrent())).toBe(10);
  });
});
