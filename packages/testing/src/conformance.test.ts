import { tinyNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { fashionMnistSubset } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { withMlm } from '@localgrad/mlm';
import { basicBlock, convBatchNormRelu, dense, dropout, stochasticDepth } from '@localgrad/nn/blocks';
import { adamw, clipped, createOptimizer, sgd } from '@localgrad/nn/optimizers';
import { heNormalFanOut } from '@localgrad/nn/random';
import { tapeBlock } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { describeBackbone, describeBlock, describeDataset, describeMethod, describeOptimizer } from './index.js';

// The suites run on the current backend; on plain JavaScript they take minutes.
await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

// All methods and decorators: conformance.slow.test.ts.
describeMethod('dgl', () => dgl({ head: '1c2f', featureDimension: 8 }), { decorators: { mlm: withMlm() } });

describeBackbone('tinyNet', () => tinyNet());

const shape = [6, 6, 4] as const;
describeBlock('basicBlock', (scope) => basicBlock({ name: 'basic', scope, inputShape: shape, channels: 6, stride: 2 }));
describeBlock('convBatchNormRelu', (scope) =>
  convBatchNormRelu({ name: 'conv', scope, inputShape: shape, channels: 5, names: ['conv', 'bn'] }),
);
describeBlock('dense', (scope) => dense({ name: 'fc', scope, inputShape: [1, 1, 12], units: 5 }));
describeBlock('dropout', (scope) => dropout({ name: 'drop', scope, inputShape: shape, rate: 0.3 }));
describeBlock('stochasticDepth', (scope) => stochasticDepth({ name: 'depth', scope, inputShape: shape, rate: 0.3 }));
const tape = (scope: Parameters<typeof dense>[0]['scope']): ReturnType<typeof tapeBlock> =>
  tapeBlock({
    name: 'tape',
    scope,
    inputShape: shape,
    outputShape: shape,
    replicate: tape,
    parameters: [{ name: 'weight', shape: [1, 1, 4, 4], initializer: heNormalFanOut }],
    fn: (x, [weight]) => tf.tanh(tf.conv2d(x, weight as tf.Tensor4D, 1, 'same')),
  });
describeBlock('tapeBlock', tape);

describeOptimizer('sgd', () => sgd({ learningRate: 0.1 }), { fromConfig: createOptimizer });
describeOptimizer('clipped sgd', () => clipped(sgd({ learningRate: 0.1 }), { norm: 5 }), {
  fromConfig: createOptimizer,
});
describeOptimizer('adamw', () => adamw({ learningRate: 0.1 }), { fromConfig: createOptimizer });

describeDataset('fashion-mnist-subset', fashionMnistSubset);
