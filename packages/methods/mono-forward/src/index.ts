import {
  type HeadFactory,
  independentPlan,
  type LocalLearningMethod,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import { dense, flatten, globalAveragePool } from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';

export interface MonoForwardOptions {
  /** Values that are projected to class scores: all (`flatten`, default), or the mean of each channel (`average`). */
  readonly features?: 'flatten' | 'average';
}

const features = ['flatten', 'average'] as const;

/**
 * Mono-Forward (Gong et al., arXiv 2501.09238; docs/methods/mono-forward.md): every module but the last is trained by
 * the cross-entropy of a linear projection of its output to class scores.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function monoForward(options: MonoForwardOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('mono-forward', options, ['features']);
  const { features: kind = 'flatten' } = options;
  requireOption(features.includes(kind), 'mono-forward', 'features', kind, features.join(', '));
  const factory = projectionHead(kind);
  return {
    specVersion: 'v1',
    name: 'mono-forward',
    config: { method: 'mono-forward', ...options },
    plan: (network) => independentPlan('mono-forward', network, factory),
  };
}

/** A projection without bias. */
function projectionHead(kind: 'flatten' | 'average'): HeadFactory {
  return {
    name: 'projection',
    build: ({ inputShape, classes }, scope) => {
      const vector = kind === 'flatten' ? flatten('flatten', inputShape) : globalAveragePool('pool', inputShape);
      const { outputShape } = vector;
      const layer = 'projection';
      const projection = dense({ name: layer, scope, layer, inputShape: outputShape, units: classes, bias: false });
      return blockHead({ name: 'projection', blocks: [vector, projection], loss: softmaxCrossEntropy });
    },
  };
}
