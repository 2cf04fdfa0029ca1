import {
  finalObjective,
  type HeadFactory,
  type HeadFactoryTerm,
  LocalgradError,
  type LocalLearningMethod,
  type Network,
  type Objective,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import {
  combinedHead,
  featureDecoder,
  headFactory,
  headNames,
  hpffImageNetDecoder,
  imageNetDecoder,
  type NamedHeadFactory,
  patchedHead,
  pixelDecoder,
  segmentationDecoder,
} from '@localgrad/nn/heads';
import { type InfoProWeights, presetNames, presetWeights } from './presets.js';

export interface InfoProOptions extends Partial<InfoProWeights> {
  /**
   * Auxiliary classifier or projection: 0c1f, 0c2f, 1c1f, 1c2f (default), 1c3f, 2c2f (docs/methods/heads.md §1), or
   * `infopro-imagenet` (§6), or `infopro-segmentation` for label maps (§7).
   */
  readonly head?: string;
  /** Estimator of I(h, y): `softmax` cross-entropy (default) or the supervised contrastive loss (`contrast`). */
  readonly loss?: 'softmax' | 'contrast';
  /** Factor on the convolutions of head and decoder; default 1. */
  readonly widen?: number;
  /** Width of the head's hidden layers, and of its output with `contrast`; default 128. */
  readonly featureDimension?: number;
  /** Temperature of the contrastive loss; default 0.07. */
  readonly temperature?: number;
  /** InfoPro's tuned weights by data set and network; replaces ixx1 … ixy2. */
  readonly preset?: string;
  /**
   * Interpolate the weights over the module index (default), over the stage of the module (MLAAN's InfoPro code), or over
   * the stage of the next block (MAN's code).
   */
  readonly lambdaIndex?: 'module' | 'stage' | 'nextStage';
  /**
   * Patches per side: the feature map and the image are split into n × n patches, each with a decoder of its own (HPFF).
   * Default 1.
   */
  readonly patches?: number;
  /** Reconstruction losses of the patches: summed (default, HPFF's code), or their mean. */
  readonly patchReduction?: 'sum' | 'mean';
  /**
   * What the decoders reconstruct: the `image` (default), by binary cross-entropy, or the `input` of the module, the
   * features that it receives, by mean squared error (docs/methods/infopro.md §5).
   */
  readonly reconstruct?: 'image' | 'input';
  /**
   * `small` (default): the decoder for small images (docs/methods/heads.md §3); `imagenet`: the one for ImageNet, `hpff-imagenet`:
   * that of HPFF's code (§6), `segmentation`: that for label maps (§7).
   */
  readonly decoder?: 'small' | 'imagenet' | 'hpff-imagenet' | 'segmentation';
}

const imageDecoders = {
  small: pixelDecoder,
  imagenet: imageNetDecoder,
  'hpff-imagenet': hpffImageNetDecoder,
  segmentation: segmentationDecoder,
} as const;

/** InfoPro's weights for CIFAR-10 and ResNet-32 with 16 modules (docs/methods/infopro.md §3). */
const defaultWeights: InfoProWeights = { ixx1: 5, ixy1: 0.05, ixx2: 0.2, ixy2: 0.5 };
const weightNames = ['ixx1', 'ixy1', 'ixx2', 'ixy2'] as const;
/** Names of the options, e.g. for completion. */
export const infoProOptionNames: readonly string[] = [
  'head',
  'loss',
  'widen',
  'featureDimension',
  'temperature',
  'preset',
  'lambdaIndex',
  'patches',
  'patchReduction',
  'reconstruct',
  'decoder',
  ...weightNames,
];

/**
 * InfoPro (Wang et al., ICLR 2021): each module but the last minimizes λ1 · reconstruction of the image + λ2 ·
 * classification, which preserves information for later modules. λ1 decreases and λ2 increases from module to module.
 *
 * Requires batches with images in [0, 1] as targets, unless `reconstruct` is `input`.
 *
 * @param used name for errors, where another method uses this one
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function infopro(options: InfoProOptions = {}, used = 'infopro'): LocalLearningMethod {
  const classifier = readOptions(options, used);
  return {
    specVersion: 'v1',
    name: 'infopro',
    config: { method: 'infopro', ...options },
    plan: (network) => {
      const weights = networkWeights(options, network.modules.length);
      const local = network.modules
        .slice(0, -1)
        .map(({ index }) =>
          localObjective(index, interpolate(weights, ratio(options, network, index)), classifier, options),
        );
      return { method: 'infopro', objectives: [...local, finalObjective(network.modules.length)], hooks: [] };
    },
  };
}

function readOptions(options: InfoProOptions, used: string): NamedHeadFactory {
  rejectUnknownKeys(used, options, infoProOptionNames);
  const {
    head = '1c2f',
    loss = 'softmax',
    widen,
    featureDimension,
    temperature,
    preset,
    lambdaIndex = 'module',
    patches = 1,
    patchReduction = 'sum',
    reconstruct = 'image',
    decoder = 'small',
  } = options;
  requireOption(Number.isInteger(patches) && patches >= 1, used, 'patches', patches, 'integers ≥ 1');
  const isReduction = ['sum', 'mean'].includes(patchReduction);
  requireOption(isReduction, used, 'patchReduction', patchReduction, 'sum, mean');
  const isReconstruction = ['image', 'input'].includes(reconstruct);
  requireOption(isReconstruction, used, 'reconstruct', reconstruct, 'image, input');
  const decoders = Object.keys(imageDecoders);
  requireOption(decoders.includes(decoder), used, 'decoder', decoder, decoders.join(', '));
  if (decoder !== 'small' && reconstruct === 'input') {
    throw new LocalgradError(
      'invalid-option',
      `${used}: decoder '${decoder}' reconstructs images; with reconstruct 'input' use decoder 'small'.`,
      { decoder, reconstruct },
    );
  }
  requireOption(['softmax', 'contrast'].includes(loss), used, 'loss', loss, 'softmax, contrast');
  const isIndex = ['module', 'stage', 'nextStage'].includes(lambdaIndex);
  requireOption(isIndex, used, 'lambdaIndex', lambdaIndex, 'module, stage, nextStage');
  const given = weightNames.filter((name) => options[name] !== undefined);
  for (const name of given) {
    const value = options[name] as number;
    requireOption(Number.isFinite(value) && value >= 0, used, name, value, 'finite numbers ≥ 0');
  }
  if (preset !== undefined) {
    if (!presetNames.includes(preset)) presetWeights(preset, 0);
    if (given.length > 0) {
      throw new LocalgradError(
        'invalid-option',
        `${used}: options 'preset' and '${given[0]}' are mutually exclusive; pass one of them.`,
        { preset, given },
      );
    }
  }
  const known = headNames.filter((name) => /^\dc\df$|^infopro-/.test(name));
  if (headNames.includes(head) && !known.includes(head)) {
    requireOption(false, used, 'head', head, known.join(', '));
  }
  const headOptions = {
    ...(loss === 'contrast' ? { loss } : {}),
    ...(widen === undefined ? {} : { widen }),
    ...(featureDimension === undefined ? {} : { featureDimension }),
    ...(temperature === undefined ? {} : { temperature }),
  };
  return headFactory(head, headOptions, used);
}

function networkWeights(options: InfoProOptions, modules: number): InfoProWeights {
  if (options.preset !== undefined) return presetWeights(options.preset, modules);
  const { ixx1, ixy1, ixx2, ixy2 } = { ...defaultWeights, ...options };
  return { ixx1, ixy1, ixx2, ixy2 };
}

/** r_k of docs/methods/infopro.md §2. */
function ratio({ lambdaIndex = 'module' }: InfoProOptions, { modules }: Network, module: number): number {
  const steps = modules.length - 2;
  if (lambdaIndex === 'module') return steps <= 0 ? 0 : module / steps;
  const last = modules[module]?.members.at(-1);
  const block = lambdaIndex === 'stage' ? last : modules[module + 1]?.members[0];
  const stage = block?.reference[0] ?? 0;
  if (stage > steps) {
    throw new LocalgradError(
      'invalid-option',
      `infopro: lambdaIndex '${lambdaIndex}' is ${stage} at module ${module}, which needs at least ${stage + 2} modules, but there are ${modules.length}; use lambdaIndex 'module'.`,
      { module, stage, modules: modules.length },
    );
  }
  return stage / steps;
}

function interpolate({ ixx1, ixy1, ixx2, ixy2 }: InfoProWeights, r: number) {
  return { reconstruction: ixx1 * (1 - r) + ixx2 * r, classification: ixy1 * (1 - r) + ixy2 * r };
}

/** What builds a module's decoder. */
function decoderOf({ reconstruct, decoder = 'small' }: InfoProOptions): typeof pixelDecoder {
  return reconstruct === 'input' ? featureDecoder : imageDecoders[decoder];
}

function localObjective(
  module: number,
  weights: { readonly reconstruction: number; readonly classification: number },
  classifier: NamedHeadFactory,
  options: InfoProOptions,
): Objective {
  const { loss = 'softmax', widen = 1, patches = 1, patchReduction: reduction = 'sum' } = options;
  const reconstruct = decoderOf(options);
  const classification = loss === 'contrast' ? 'contrast' : 'classification';
  const decoder: HeadFactory = {
    name: 'decoder',
    build: (context, scope) =>
      patches === 1
        ? reconstruct(context, scope, { widen })
        : patchedHead(context, scope, {
            name: 'patched-decoder',
            patches,
            share: false,
            reduction,
            build: (patch, own) => reconstruct(patch, own, { widen }),
          }),
  };
  const all: readonly HeadFactoryTerm[] = [
    { name: 'reconstruction', weight: weights.reconstruction, isClassification: false, factory: decoder },
    { name: classification, weight: weights.classification, isClassification: true, factory: classifier },
  ];
  // A term with weight 0 is not built, because its network would receive no gradient.
  const terms = all.filter(({ weight }) => weight > 0);
  const factory: HeadFactory = {
    name: (terms.length === 0 ? all : terms).map((term) => term.factory.name).join('+'),
    terms,
    build(context, scope) {
      const built = terms.map((term) => ({ ...term, head: term.factory.build(context, scope) }));
      return combinedHead(built.map(({ head }) => head.name).join('+'), built);
    },
  };
  const key = `module${module}`;
  const isTrained = weights.reconstruction > 0 || weights.classification > 0;
  return { id: key, role: 'independent', span: [module, module], weight: isTrained ? 1 : 0, head: { key, factory } };
}
