import { LocalgradError, type Parameter } from '@localgrad/core';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';

/** The value of a parameter of shape [n]; borrowed. */
export function vectorOf(parameter: Parameter): Tensor1D {
  const { value } = parameter;
  if (isVector(value)) return value;
  throw wrongRank(parameter, 1);
}

/** The value of a parameter of shape [m, n]; borrowed. */
export function matrixOf(parameter: Parameter): Tensor2D {
  const { value } = parameter;
  if (isMatrix(value)) return value;
  throw wrongRank(parameter, 2);
}

/** The value of a filter, of shape [height, width, inputs, outputs]; borrowed. */
export function filterOf(parameter: Parameter): Tensor4D {
  const { value } = parameter;
  if (isFilter(value)) return value;
  throw wrongRank(parameter, 4);
}

function isVector(value: Tensor): value is Tensor1D {
  return value.rank === 1;
}

function isMatrix(value: Tensor): value is Tensor2D {
  return value.rank === 2;
}

function isFilter(value: Tensor): value is Tensor4D {
  return value.rank === 4;
}

function wrongRank({ name, shape }: Parameter, rank: number): LocalgradError {
  return new LocalgradError('misuse', `Parameter '${name}' has shape [${shape.join(', ')}]; expected rank ${rank}.`, {
    parameter: name,
  });
}
