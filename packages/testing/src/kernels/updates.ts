import { at } from '@localgrad/core';
import { clipAll, type SgdUpdate } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';
import type { Shape } from './values.js';

/** Sizes that are no multiples of a vector, a single number, and one that is cut into pieces. */
const shapes: Readonly<Record<string, Shape>> = {
  filter: [3, 3, 5, 7],
  scale: [16],
  one: [1],
  matrix: [130, 257],
  bias: [10],
};

const inputsOf = (kinds: readonly string[]) =>
  Object.fromEntries(
    Object.entries(shapes).flatMap(([name, shape]) => kinds.map((kind) => [`${name} ${kind}`, shape] as const)),
  );

function requests<Kind extends string>(inputs: Readonly<Record<string, tf.Tensor>>, kinds: readonly Kind[]) {
  return Object.keys(shapes).map((name) => {
    const entries = kinds.map((kind) => [kind, inputs[`${name} ${kind}`] as tf.Tensor] as const);
    return Object.fromEntries(entries) as Record<Kind, tf.Tensor>;
  });
}

export const updatedTensors = ({ value, velocity }: SgdUpdate) =>
  velocity === undefined ? [value] : [value, velocity];

const namesOf = (kinds: readonly string[]) => Object.keys(inputsOf(kinds));

/** Updates of several tensors in one call, with settings of their own. */
export const updateCases: readonly KernelCase[] = [
  ...[1e4, 10, 1e-3].map(
    (norm): KernelCase => ({
      kernel: 'clipAll',
      label: `five gradients, norm ${norm}`,
      inputs: shapes,
      consumes: Object.keys(shapes),
      run: (kernels, inputs) => {
        const gradients = Object.values(inputs);
        return kernels.clipAll?.(gradients, norm) ?? clipAll(gradients, norm);
      },
    }),
  ),
  {
    kernel: 'sgdUpdateAll',
    label: 'five weights, two settings',
    inputs: inputsOf(['value', 'gradient', 'velocity']),
    consumes: namesOf(['gradient', 'velocity']),
    run: (kernels, inputs) =>
      kernels
        .sgdUpdateAll(
          requests(inputs, ['value', 'gradient', 'velocity']).map((request, index) => ({
            ...request,
            learningRate: 0.1,
            momentum: 0.9,
            nesterov: true,
            weightDecay: index % 2 === 0 ? 1e-2 : 0,
          })),
        )
        .flatMap(updatedTensors),
  },
  {
    kernel: 'sgdUpdateAll',
    label: 'five weights, two of them for the first time',
    inputs: inputsOf(['value', 'gradient', 'velocity']),
    consumes: namesOf(['gradient', 'velocity']),
    run: (kernels, inputs) =>
      kernels
        .sgdUpdateAll(
          requests(inputs, ['value', 'gradient', 'velocity']).map(({ velocity, ...request }, index) => {
            if (index % 2 === 1) velocity.dispose();
            const rates = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
            return { ...request, ...rates, velocity: index % 2 === 1 ? undefined : velocity };
          }),
        )
        .flatMap(updatedTensors),
  },
  ...[true, false].map(
    (isShared): KernelCase => ({
      kernel: 'sgdUpdateAll',
      label: `two updates of five weights${isShared ? ', the first results shared with other handles' : ''}`,
      inputs: inputsOf(['value', 'gradient', 'later']),
      consumes: namesOf(['gradient', 'later']),
      run: (kernels, inputs) => {
        const rates = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
        const given = requests(inputs, ['value', 'gradient', 'later']);
        const first = kernels.sgdUpdateAll(
          given.map(({ value, gradient }) => ({ value, gradient, velocity: undefined, ...rates })),
        );
        const kept = isShared ? first.flatMap(updatedTensors).map((tensor) => tensor.clone()) : [];
        const second = kernels.sgdUpdateAll(
          first.map((update, index) => ({ ...update, gradient: at(given, index, 'request').later, ...rates })),
        );
        tf.dispose(first.map(({ value }) => value));
        return [...kept, ...second.flatMap(updatedTensors)];
      },
    }),
  ),
  {
    kernel: 'adamUpdateAll',
    label: 'five weights, two settings',
    inputs: inputsOf(['value', 'gradient', 'first', 'second']),
    values: Object.fromEntries(namesOf(['second']).map((name) => [name, 'squared'] as const)),
    consumes: namesOf(['gradient', 'first', 'second']),
    run: (kernels, inputs) =>
      kernels
        .adamUpdateAll(
          requests(inputs, ['value', 'gradient', 'first', 'second']).map(({ first, second, ...request }, index) => ({
            ...request,
            moments: { first, second },
            update: 3 + index,
            learningRate: 0.01,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weightDecay: index % 2 === 0 ? 1e-2 : 0,
            decoupled: true,
          })),
        )
        .flatMap(({ value, first, second }) => [value, first, second]),
  },
  {
    kernel: 'blendAll',
    label: 'five averages, two momenta',
    inputs: inputsOf(['average', 'value']),
    run: (kernels, inputs) =>
      kernels.blendAll(
        requests(inputs, ['average', 'value']).map((request, index) => {
          return { ...request, kept: index % 2 === 0 ? 0.9 : 0.5, added: index % 2 === 0 ? 0.1 : 0.5 };
        }),
      ),
  },
  {
    kernel: 'blendAll',
    label: 'one average',
    inputs: { average: [3, 5, 7], value: [3, 5, 7] },
    run: (kernels, { average, value }) =>
      kernels.blendAll([{ average: average as tf.Tensor, value: value as tf.Tensor, kept: 0.75, added: 0.25 }]),
  },
];
