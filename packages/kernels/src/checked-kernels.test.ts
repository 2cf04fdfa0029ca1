import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { checkedKernels } from './checked-kernels.js';
import type { Operation } from './operations.js';
import { stockKernels } from './stock-kernels.js';
import type { TrainingKernels } from './training-kernels.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const zeros = (...shape: number[]) => tf.zeros(shape) as never;
const geometry = { stride: 1, padding: 1 };
const window = { window: [2, 2], stride: [2, 2], padding: { top: 0, bottom: 0, left: 0, right: 0 } } as const;
const x = () => zeros(2, 4, 4, 3);
const vectors = (channels: number) => ({ mean: zeros(channels), variance: zeros(channels) });
const norm = (channels: number) => ({
  ...vectors(channels),
  scale: zeros(channels),
  shift: zeros(channels),
  epsilon: 0,
});
const image = [2, 4, 4, 3];
const sgd = { learningRate: 0.1, momentum: 0, nesterov: false, weightDecay: 0 };

/** Arguments of each kernel: those that fit, and some that do not, with the message. */
const cases: readonly (readonly [Operation, readonly unknown[], readonly unknown[], string])[] = [
  [
    'matMul',
    [zeros(2, 3), zeros(3, 4), false, false],
    [zeros(2, 3), zeros(4, 4), false, false],
    'b has shape 4×4; its other arguments require 3×any',
  ],
  [
    'matMul',
    [zeros(3, 2), zeros(4, 3), true, true],
    [zeros(3, 2), zeros(4, 2), true, true],
    'b has shape 4×2; its other arguments require any×3',
  ],
  [
    'conv2d',
    [x(), zeros(3, 3, 3, 5), geometry],
    [x(), zeros(3, 3, 2, 5), geometry],
    'the filter has shape 3×3×2×5; its other arguments require any×any×3×any',
  ],
  [
    'conv2dInputGradient',
    [zeros(2, 4, 4, 5), zeros(3, 3, 3, 5), image, geometry],
    [zeros(2, 4, 3, 5), zeros(3, 3, 3, 5), image, geometry],
    'dy has shape 2×4×3×5; its other arguments require 2×4×4×5',
  ],
  [
    'conv2dFilterGradient',
    [x(), zeros(2, 4, 4, 5), [3, 3, 3, 5], geometry],
    [x(), zeros(1, 4, 4, 5), [3, 3, 3, 5], geometry],
    'dy has shape 1×4×4×5',
  ],
  [
    'depthwiseConv2d',
    [x(), zeros(3, 3, 3, 2), geometry],
    [x(), zeros(3, 3, 4, 2), geometry],
    'the filter has shape 3×3×4×2',
  ],
  [
    'depthwiseConv2dInputGradient',
    [zeros(2, 4, 4, 6), zeros(3, 3, 3, 2), image, geometry],
    [zeros(2, 4, 4, 5), zeros(3, 3, 3, 2), image, geometry],
    'dy has shape 2×4×4×5; its other arguments require 2×4×4×6',
  ],
  [
    'groupedConv2d',
    [x(), zeros(3, 3, 1, 6), 3, geometry],
    [x(), zeros(3, 3, 3, 6), 3, geometry],
    'the filter has shape 3×3×3×6; its other arguments require any×any×1×any',
  ],
  ['batchStatistics', [x()], [x(), { ...vectors(2), kept: 0.9 }], 'mean has shape 2; its other arguments require 3'],
  ['batchNormApply', [x(), norm(3), undefined, false], [x(), norm(4), undefined, false], 'mean has shape 4'],
  [
    'batchNormApply',
    [x(), norm(3), x(), false],
    [x(), norm(3), zeros(1, 4, 4, 3), false],
    'residual has shape 1×4×4×3',
  ],
  [
    'batchNormGradient',
    [{ dy: x(), x: x(), normalization: norm(3), mask: 'none' }],
    [{ dy: zeros(2, 2, 2, 3), x: x(), normalization: norm(3), mask: 'none' }],
    'dy has shape 2×2×2×3',
  ],
  ['groupNorm', [x(), { ...norm(3), groups: 1 }], [x(), { ...norm(2), groups: 1 }], 'scale has shape 2'],
  ['accumulate', [x(), x()], [x(), zeros(2, 4, 4, 4)], 'b has shape 2×4×4×4; its other arguments require 2×4×4×3'],
  [
    'mapAxis',
    [zeros(1, 2, 3), [[1, 2]], false],
    [zeros(1, 3, 3), [[1, 2]], false],
    'x has shape 1×3×3; its other arguments require any×2×any',
  ],
  [
    'reluGradient',
    [x(), x(), 0],
    [x(), zeros(2, 4, 4, 2), 0],
    'dy has shape 2×4×4×3; its other arguments require 2×4×4×2',
  ],
  [
    'globalAveragePoolGradient',
    [zeros(2, 3), image],
    [zeros(2, 4), image],
    'dy has shape 2×4; its other arguments require 2×3',
  ],
  [
    'maxPoolGradient',
    [zeros(2, 2, 2, 3), x(), window],
    [zeros(2, 3, 2, 3), x(), window],
    'dy has shape 2×3×2×3; its other arguments require 2×2×2×3',
  ],
  [
    'averagePoolGradient',
    [zeros(2, 2, 2, 3), image, window],
    [zeros(2, 2, 2, 2), image, window],
    'dy has shape 2×2×2×2',
  ],
  [
    'softmaxCrossEntropy',
    [zeros(4, 3), tf.zeros([4], 'int32'), 1],
    [zeros(4, 3), tf.zeros([3], 'int32'), 1],
    'labels has shape 3; its other arguments require 4',
  ],
  ['binaryCrossEntropy', [x(), x(), 1], [x(), zeros(2, 4, 4, 1), 1], 'targets has shape 2×4×4×1'],
  [
    'sgdUpdateAll',
    [[{ ...sgd, value: zeros(3), gradient: zeros(3), velocity: undefined }]],
    [[{ ...sgd, value: zeros(3), gradient: zeros(2), velocity: undefined }]],
    'gradient has shape 2; its other arguments require 3',
  ],
  [
    'blendAll',
    [[{ average: zeros(3), value: zeros(3), kept: 0, added: 1 }]],
    [[{ average: zeros(3), value: zeros(4), kept: 0, added: 1 }]],
    'value has shape 4',
  ],
  [
    'attention',
    [zeros(1, 1, 2, 12), 2],
    [zeros(1, 1, 2, 13), 2],
    'x has shape 1×1×2×13; its other arguments require any×any×any×12',
  ],
];

describe('checkedKernels', () => {
  it.each(cases)('%s runs on shapes that fit, and rejects others (%#)', (name, right, wrong, message) => {
    const kernel = vi.fn(() => 'result');
    const checked = checkedKernels({ ...stockKernels, [name]: kernel } as unknown as TrainingKernels);
    const run = checked[name] as (...values: readonly unknown[]) => unknown;
    expect(run(...right)).toBe('result');
    expect(kernel.mock.calls).toEqual([right]);
    expect(() => run(...wrong)).toThrow(`Kernel ${name}: ${message}`);
    expect(() => run(...wrong)).toThrow(expect.objectContaining({ code: 'shape-mismatch' }));
    expect(kernel).toHaveBeenCalledTimes(1);
  });

  it('leaves stock operations as they are, and adds none that are missing', () => {
    expect(checkedKernels(stockKernels)).toEqual(stockKernels);
  });
});
