import { at, callOwn, type Shape3, sameShape } from '@localgrad/core';
import { addN, concat, engine, type Rank, reshape, slice, type Tensor4D, tidy, zeros } from '@tensorflow/tfjs';
import type { LayerContext } from './layer-context.js';
import { requirePure } from './pure-layer.js';
import { requireGradient } from './require-gradient.js';
import { runLayer } from './tape-layer.js';

/** Combines several feature maps into one. */
export interface Join {
  readonly name: string;
  readonly outputShape: Shape3;
  /** Borrows the inputs; the result belongs to the caller. */
  join(inputs: readonly Tensor4D[]): Tensor4D;
  /** The cotangents of the inputs; owned by the caller. Consumes dy. */
  split(dy: Tensor4D, inputs: readonly Tensor4D[]): Tensor4D[];
}

const joiningClasses = ['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'];

/** The join of a layer with several inputs. @throws LocalgradError `invalid-option` */
export function joinOf(context: LayerContext): Join {
  const { config, node } = context;
  if (!joiningClasses.includes(config.className)) {
    throw context.unsupported(
      `has ${node.inputs.length} inputs; layers that combine several: ${joiningClasses.join(', ')}`,
    );
  }
  const shapes = node.inputShapes.map((shape) => context.mapOf(shape));
  const { name, outputShape } = context;
  if (config.className === 'Add' && shapes.every((shape) => sameShape(shape, outputShape)))
    return sum(name, outputShape);
  if (config.className === 'Concatenate') {
    const axis = config.number('axis', -1);
    const isLast = axis === -1 || axis === node.shape.length;
    if (isLast) return channels(name, shapes, outputShape);
  }
  return onTape(context, outputShape);
}

function sum(name: string, outputShape: Shape3): Join {
  return {
    name,
    outputShape,
    join: (inputs) => addN([...inputs]),
    split: (dy, inputs) => {
      const cotangents = inputs.map(() => dy.clone());
      dy.dispose();
      return cotangents;
    },
  };
}

function channels(name: string, shapes: readonly Shape3[], outputShape: Shape3): Join {
  return {
    name,
    outputShape,
    join: (inputs) => concat([...inputs], 3),
    split: (dy) => {
      const [batch, height, width] = dy.shape;
      let start = 0;
      const cotangents = shapes.map(([, , count]) => {
        const part: Tensor4D = slice(dy, [0, 0, 0, start], [batch, height, width, count]);
        start += count;
        return part;
      });
      dy.dispose();
      return cotangents;
    },
  };
}

function onTape(context: LayerContext, outputShape: Shape3): Join {
  requirePure(context);
  const { node, name } = context;
  const run = (inputs: readonly Tensor4D[]) =>
    runLayer({ ...node, name, inputs, outputShape, weights: [], training: true });
  const gradientsOf = (inputs: readonly Tensor4D[], dy: Tensor4D) => {
    // Distinct handles, so that a map that is read twice has two cotangents.
    const own = inputs.map((input) => input.clone());
    const { grads } = engine().gradients(() => run(own), own, dy);
    return inputs.map(({ shape }, index) => reshape<Rank.R4>(at(grads, index, 'cotangent'), shape));
  };
  if (node.followsWeights) {
    requireGradient(context, () => {
      const inputs = node.inputShapes.map((shape) => zeros<Rank.R4>([1, ...context.mapOf(shape)]));
      gradientsOf(inputs, zeros([1, ...outputShape]));
    });
  }
  return {
    name,
    outputShape,
    join: (inputs) => tidy(() => run(inputs)),
    split: (dy, inputs) => {
      const cotangents = callOwn(`The gradient of layer '${name}'`, () => tidy(() => gradientsOf(inputs, dy)));
      dy.dispose();
      return cotangents;
    },
  };
}
