import { type BackboneFactory, buildBackbone, buildHead } from '@localgrad/core';
import type { NamedHeadFactory } from './named-heads.js';

/**
 * Replaces a backbone's classifier, for tasks other than classification. The head's parameters are named `output.…`;
 * those of the original classifier are created but not used.
 */
export function withOutputHead(backbone: BackboneFactory, head: NamedHeadFactory): BackboneFactory {
  const name = `${backbone.name}+${head.name}`;
  const config = { ...backbone.config, output: head.config };
  const factory: BackboneFactory = {
    name,
    config,
    build(options) {
      const built = buildBackbone(backbone, options);
      const { inputShape } = built.classifier;
      const { classes, scope } = options;
      const context = {
        module: 0,
        modules: 1,
        inputShape,
        moduleInputShape: options.inputShape,
        finalShape: inputShape,
        classes,
        imageShape: options.inputShape,
      };
      return { ...built, name, config, classifier: buildHead(head, context, scope.scope('output')), factory };
    },
  };
  return factory;
}
