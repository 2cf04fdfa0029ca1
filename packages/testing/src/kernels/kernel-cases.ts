import { convolutionCases, depthwiseCases } from './convolutions.js';
import { groupedCases } from './grouped-convolutions.js';
import type { KernelCase } from './kernel-case.js';
import { groupNormCases, normCases, pooledNormCases } from './normalizations.js';
import { otherCases } from './others.js';
import { poolingCases } from './poolings.js';
import { transformerCases } from './transformers.js';
import { updateCases } from './updates.js';

/** The input whose NaN and infinities have to come through, by kernel. Statistics of x are only defined for finite x. */
const carriers: Readonly<Partial<Record<KernelCase['kernel'], string>>> = {
  conv2d: 'x',
  conv2dInputGradient: 'dy',
  conv2dInputGradientInPlace: 'dy',
  conv2dFilterGradient: 'x',
  batchStatistics: 'x',
  accumulate: 'b',
  batchNormApply: 'residual',
  batchNormForward: 'residual',
  matMul: 'a',
  globalAveragePool: 'x',
  globalAveragePoolGradient: 'dy',
  softmaxCrossEntropy: 'logits',
  binaryCrossEntropy: 'logits',
  sgdUpdateAll: 'gradient',
  depthwiseConv2d: 'x',
  depthwiseConv2dInputGradient: 'dy',
  depthwiseConv2dFilterGradient: 'x',
  groupedConv2d: 'x',
  groupedConv2dInputGradient: 'dy',
  groupedConv2dFilterGradient: 'x',
  adamUpdateAll: 'gradient',
  blendAll: 'value',
};

function nonFiniteCases(cases: readonly KernelCase[]): KernelCase[] {
  return cases.flatMap((row) => {
    const carrier = carriers[row.kernel];
    if (carrier === undefined || row.inputs[carrier] === undefined) return [];
    return { ...row, label: `${row.label}, ${carrier} not finite`, values: { ...row.values, [carrier]: 'nonFinite' } };
  });
}

/** Every training kernel; a new one gets its rows here. */
export const kernelCases: readonly KernelCase[] = [
  ...convolutionCases,
  ...depthwiseCases,
  ...groupedCases,
  ...normCases,
  ...pooledNormCases,
  ...groupNormCases,
  ...transformerCases,
  ...poolingCases,
  ...otherCases,
  ...updateCases,
  ...nonFiniteCases([
    ...convolutionCases,
    ...depthwiseCases,
    ...groupedCases,
    ...normCases,
    ...otherCases,
    ...updateCases,
  ]),
];
