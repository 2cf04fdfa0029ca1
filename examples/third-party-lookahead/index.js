// A third-party method whose heads borrow blocks of the backbone: between a module and its classifier stands the first
// block of the next module, once as a trained copy and once as a moving average of the live block.
import { independentPlan, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { parallelSum } from '@localgrad/nn/blocks';
import { chainedHead, createClassifier } from '@localgrad/nn/heads';
import { frozenScope } from '@localgrad/nn/random';

const name = 'acme-localgrad-lookahead';

/** The head of one module, and the description of what it borrows. */
function lookahead(next, momentum) {
  const { block, reference } = next;
  return {
    name: 'lookahead',
    borrows: [{ reference, live: block.name, as: ['trained-copy', 'averaged-copy'], momentum }],
    build({ classes }, scope) {
      const trained = block.replicate(scope.scope('trained'));
      const averaged = block.replicate(frozenScope(scope.scope('averaged')));
      const chain = parallelSum('next', trained, averaged);
      const classifier = createClassifier({ scope, inputShape: block.outputShape, classes });
      const averages = averaged.parameters.map((average, index) => ({
        average,
        live: block.parameters[index].name,
        momentum,
        when: 'afterUpdate',
      }));
      return { ...chainedHead('lookahead', chain, classifier), averages };
    },
  };
}

/**
 * @param {{ momentum?: number }} options of the moving average; default 0.99
 * @returns {import('@localgrad/core').LocalLearningMethod}
 */
export default function method(options = {}) {
  rejectUnknownKeys(name, options, ['momentum']);
  const { momentum = 0.99 } = options;
  requireOption(momentum >= 0 && momentum <= 1, name, 'momentum', momentum, 'numbers in [0, 1]');
  return {
    specVersion: 'v1',
    name,
    config: { method: name, ...options },
    plan(network) {
      const { blocks } = network.backbone;
      const plan = independentPlan(name, network, { name: 'lookahead', build: () => undefined });
      let passed = 0;
      const ends = network.modules.map((module) => (passed += module.blocks.length));
      const objectives = plan.objectives.map((objective) => {
        if (objective.head.factory === undefined) return objective;
        const factory = lookahead(blocks[ends[objective.span[1]]], momentum);
        return { ...objective, head: { ...objective.head, factory } };
      });
      return { ...plan, objectives };
    },
  };
}
