import { selectBackend } from '@localgrad/backends';
import {
  attention,
  bottleneck,
  classToken,
  concatenation,
  firstToken,
  flattenChannelsFirst,
  gelu,
  layerNorm,
  leakyRelu,
  normReluConvolution,
  patchTokens,
  positionwiseDense,
  residual,
  sequential,
} from '@localgrad/nn/blocks';
import { describeBlock } from './index.js';

// The blocks of ImageNet's networks and of vision transformers, on the current backend.
await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

const maps = [6, 6, 4] as const;
const tokens = [1, 6, 8] as const;

describeBlock('bottleneck with groups', (scope) =>
  bottleneck({ name: 'b', scope, inputShape: [6, 6, 8], channels: 12, stride: 2, width: 6, groups: 3 }),
);
describeBlock('residual of normReluConvolution', (scope) =>
  residual('r', normReluConvolution({ name: 'u', scope, inputShape: maps, channels: 4 })),
);
describeBlock('concatenation of normReluConvolution', (scope) =>
  concatenation('c', normReluConvolution({ name: 'u', scope, inputShape: maps, channels: 3 })),
);
describeBlock('layerNorm', (scope) => layerNorm({ name: 'n', scope, inputShape: tokens }));
describeBlock('classToken', (scope) => classToken({ name: 't', scope, inputShape: [2, 3, 8] }));
describeBlock('attention with its projections', (scope) =>
  sequential('attention', [
    positionwiseDense({ name: 'qkv', scope: scope.scope('qkv'), inputShape: tokens, units: 24 }),
    attention({ name: 'heads', inputShape: [1, 6, 24], heads: 2 }),
    positionwiseDense({ name: 'proj', scope: scope.scope('proj'), inputShape: tokens, units: 8 }),
  ]),
);
describeBlock('gelu', () => gelu('g', tokens));
describeBlock('leakyRelu', () => leakyRelu('l', tokens, 0.1));
describeBlock('firstToken', () => firstToken('f', tokens));
describeBlock('patchTokens', () => patchTokens('p', [1, 7, 8], [2, 3]));
describeBlock('flattenChannelsFirst', () => flattenChannelsFirst('f', maps));
