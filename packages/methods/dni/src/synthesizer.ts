import type { Block, HeadFactory, ParameterScope, Shape3 } from '@localgrad/core';
import { batchNorm, conv2d, relu } from '@localgrad/nn/blocks';
import { synthesizingHead } from '@localgrad/nn/heads';
import { uniformFanIn, zeros } from '@localgrad/nn/random';
import { ClassContext } from './class-context.js';

/** Layers of a network that predicts gradients. */
export interface SynthesizerOptions {
  /** Number of hidden convolutions, each with batch norm and ReLU. */
  readonly hidden: number;
  /** Height and width of the filters of all convolutions. */
  readonly kernelSize: number;
  /** Whether the network also reads the labels. */
  readonly conditional: boolean;
}

/**
 * The synthetic gradient model for convolutional networks (Jaderberg et al., ICML 2017, appendix C): convolutions with as many
 * channels as the map. The last one starts at zero, so that training starts without synthetic gradients.
 */
export function synthesizer({ hidden, kernelSize, conditional }: SynthesizerOptions): HeadFactory {
  const name = conditional ? 'conditional-synthesizer' : 'synthesizer';
  return {
    name,
    build: ({ inputShape, classes }, scope) => {
      const context = conditional
        ? new ClassContext({ name: 'context', scope: scope.scope('context'), inputShape, classes })
        : undefined;
      const convolution = (layer: string) => convolutionOf({ layer, scope, inputShape, kernelSize });
      const blocks: Block[] = [];
      for (let index = 0; index < hidden; index++) {
        blocks.push(convolution(`hidden${index}`));
        if (index === 0 && context !== undefined) blocks.push(context);
        const layer = `norm${index}`;
        blocks.push(batchNorm({ name: layer, scope, inputShape, layer }), relu(`relu${index}`, inputShape));
      }
      // Without hidden layers, classes move the prediction itself.
      if (hidden === 0 && context !== undefined) blocks.push(context);
      blocks.push(
        conv2d({
          ...geometryOf(inputShape, kernelSize),
          ...layerOf('output', scope),
          initializer: zeros,
          biasInitializer: zeros,
        }),
      );
      return synthesizingHead({ name, blocks, ...(context === undefined ? {} : { condition: context }) });
    },
  };
}

interface ConvolutionLayer {
  readonly layer: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly kernelSize: number;
}

function convolutionOf({ layer, scope, inputShape, kernelSize }: ConvolutionLayer): Block {
  const geometry = geometryOf(inputShape, kernelSize);
  const initializer = uniformFanIn(geometry.kernelSize ** 2 * geometry.channels);
  return conv2d({ ...geometry, ...layerOf(layer, scope), initializer });
}

function layerOf(layer: string, scope: ParameterScope) {
  return { name: layer, scope, layer };
}

/** A filter of one pixel on vectors: the others would only see the padding. */
function geometryOf(inputShape: Shape3, kernelSize: number) {
  const isVector = inputShape[0] === 1 && inputShape[1] === 1;
  return { inputShape, channels: inputShape[2], kernelSize: isVector ? 1 : kernelSize };
}
