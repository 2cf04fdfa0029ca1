import { independentPlan, LocalgradError, type LocalLearningMethod, rejectUnknownKeys } from '@localgrad/core';
import { type HeadFactoryOptions, headFactory, type NamedHeadFactory } from '@localgrad/nn/heads';

export interface DglOptions extends HeadFactoryOptions {
  /**
   * Auxiliary head by name: `auglocal-dgl` (default), `dgl-mlp-sr`, `dgl-mlp`, `dgl-cnn`, `dgl-128x512`, `dni-synthesizer`, `0c1f` … `2c2f`,
   * `infopro-imagenet`, `infopro-segmentation`, `mmsegmentation-fcn`, `class-token` (docs/methods/heads.md §1, §2, §6, §7); or your own head factory.
   */
  readonly head?: string | NamedHeadFactory;
}

/**
 * Decoupled Greedy Learning, synchronous (Belilovsky et al., ICML 2020; docs/methods/dgl.md §1): every module but the
 * last is trained by the cross-entropy of its own auxiliary classifier.
 *
 * @throws LocalgradError `unknown-name` for heads and options
 */
export function dgl(options: DglOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('dgl', options, ['head', 'widen', 'featureDimension']);
  const { head = 'auglocal-dgl', ...headOptions } = options;
  const [option] = Object.keys(headOptions);
  if (typeof head !== 'string' && option !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `dgl: option '${option}' is for heads of localgrad; head '${head.name}' takes its options where it is created.`,
      { head: head.name, option },
    );
  }
  const factory = typeof head === 'string' ? headFactory(head, headOptions, 'dgl') : head;
  return {
    specVersion: 'v1',
    name: 'dgl',
    config: { method: 'dgl', head: factory.name, ...headOptions },
    plan: (network) => independentPlan('dgl', network, factory),
  };
}
