import type { Block, Head, HeadContext, HeadFactory, ParameterScope } from '@localgrad/core';
import { conv2d, dense, flatten } from '@localgrad/nn/blocks';
import { blockHead, combinedHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { uniformFanIn, zeros } from '@localgrad/nn/random';
import { decoderPooling } from './decoder-pooling.js';
import { similarityMatching } from './similarity-matching.js';

export interface LocalErrorOptions {
  /** `pred`: local classifier. `sim`: similarity matching. `predsim` (default): both. */
  readonly loss: 'predsim' | 'pred' | 'sim';
  /** Weight of similarity matching with loss `predsim`; that of the classifier is 1 − beta. Default 0.99. */
  readonly beta: number;
  /** Maximum number of inputs of the local classifier: larger feature maps are pooled first. Default 2048. */
  readonly decoderInputs: number;
  /** Initial weights of the local classifier: `zeros` (default) or U(±1/√inputs). */
  readonly decoderStart: 'zeros' | 'uniform';
}

/** The local losses as a head. */
export function localErrorHead(options: LocalErrorOptions): HeadFactory {
  const { loss, beta } = options;
  return {
    name: loss,
    build: (context, scope) => {
      if (loss === 'pred') return predictionHead(context, scope, options);
      if (loss === 'sim') return similarityHead(context, scope);
      return combinedHead(loss, [
        { name: 'similarity', weight: beta, head: similarityHead(context, scope) },
        { name: 'prediction', weight: 1 - beta, head: predictionHead(context, scope, options) },
      ]);
    },
  };
}

/** Pooling, flattening and a dense layer. */
function predictionHead(
  { inputShape, classes }: HeadContext,
  scope: ParameterScope,
  { decoderInputs, decoderStart }: LocalErrorOptions,
): Head {
  const pooling = decoderPooling('pool', inputShape, decoderInputs);
  const flat = flatten('flatten', pooling?.outputShape ?? inputShape);
  const inputs = flat.outputShape[2];
  const classifier = dense({
    name: 'decoder',
    scope,
    layer: 'decoder',
    inputShape: flat.outputShape,
    units: classes,
    initializer: decoderStart === 'zeros' ? zeros : uniformFanIn(inputs),
  });
  const blocks = pooling === undefined ? [flat, classifier] : [pooling, flat, classifier];
  return blockHead({ name: 'pred', blocks, loss: softmaxCrossEntropy });
}

/** A layer that keeps the number of channels, without bias: 3×3 convolution on maps, dense on vectors. */
function similarityHead({ inputShape, classes }: HeadContext, scope: ParameterScope): Head {
  const [height, width, channels] = inputShape;
  const common = { name: 'similarity', layer: 'similarity', scope, inputShape, bias: false };
  const isVector = height === 1 && width === 1;
  const layer: Block = isVector
    ? dense({ ...common, units: channels })
    : conv2d({ ...common, channels, initializer: uniformFanIn(9 * channels) });
  return blockHead({ name: 'sim', blocks: [layer], loss: similarityMatching(classes) });
}
