import {
  finalObjective,
  LocalgradError,
  type LocalLearningMethod,
  type Network,
  type Objective,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
} from '@localgrad/core';
import { auxiliaryNet, convolutionalNet } from './auxiliary-net.js';
import { auxiliaryDepth, selectLayers } from './selection.js';

export interface AugLocalOptions {
  /** Maximum number of blocks of an auxiliary network; default 2. */
  readonly depth?: number;
  /**
   * τ: fraction by which the depth decreases from the first local module to the last. Default 0.5 with form `cifar`, 0
   * (the same depth everywhere) with form `imagenet`.
   */
  readonly pyramid?: number;
  /**
   * `cifar` (default): the last module consists of at least `depth` + 1 layers, trained together. `imagenet`: every
   * module of the partition but the last has an auxiliary network (docs/methods/auglocal.md §3).
   */
  readonly form?: 'cifar' | 'imagenet';
  /**
   * Auxiliary networks of `residual` blocks of the backbone's kind (default), or of `vgg`: plain convolutions with pooling
   * and three dense layers, for networks whose stages end with pooling (docs/methods/auglocal.md §4).
   */
  readonly layers?: 'residual' | 'vgg';
}

type Settings = Required<AugLocalOptions>;

/**
 * AugLocal (Ma et al., ICLR 2024): the auxiliary network of each module imitates the rest of the network by a few
 * layers sampled from it, more for early modules than for late ones.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `invalid-option` when `depth` leaves no module
 *   with a local loss
 */
export function auglocal(options: AugLocalOptions = {}): LocalLearningMethod {
  const settings = readOptions(options);
  return {
    specVersion: 'v1',
    name: 'auglocal',
    config: { method: 'auglocal', ...options },
    plan: (network) => createPlan(network, settings),
  };
}

function readOptions(options: AugLocalOptions): Settings {
  rejectUnknownKeys('auglocal', options, ['depth', 'pyramid', 'form', 'layers']);
  const { depth = 2, form = 'cifar', layers = 'residual' } = options;
  const { pyramid = form === 'cifar' ? 0.5 : 0 } = options;
  requireOption(Number.isInteger(depth) && depth >= 1, 'auglocal', 'depth', depth, 'integers ≥ 1');
  const isFraction = Number.isFinite(pyramid) && pyramid >= 0 && pyramid <= 1;
  requireOption(isFraction, 'auglocal', 'pyramid', pyramid, 'numbers from 0 to 1');
  requireOption(['cifar', 'imagenet'].includes(form), 'auglocal', 'form', form, 'cifar, imagenet');
  requireOption(['residual', 'vgg'].includes(layers), 'auglocal', 'layers', layers, 'residual, vgg');
  return { depth, pyramid, form, layers };
}

function createPlan(network: Network, { depth, pyramid, form, layers: kind }: Settings): TrainingPlan {
  const { backbone, modules } = network;
  const locals = form === 'cifar' ? localModules(network, depth) : modules.length - 1;
  let layer = -1;
  const local = modules.slice(0, locals).map(({ index, blocks }): Objective => {
    layer += blocks.length;
    const own = auxiliaryDepth(index, locals, depth, pyramid);
    const layers = selectLayers(layer, backbone.blocks.length, own);
    const factory =
      kind === 'vgg' ? convolutionalNet(network, layers) : auxiliaryNet(network, layers, form === 'cifar' && own === 1);
    const key = `module${index}`;
    return { id: key, role: 'independent', span: [index, index], weight: 1, head: { key, factory } };
  });
  return { method: 'auglocal', objectives: [...local, finalObjective(modules.length, locals)], hooks: [] };
}

/** Number of modules before the last `depth` + 1 layers: K − depth − 1 with one layer per module. */
function localModules({ backbone, modules }: Network, depth: number): number {
  let layers = 0;
  for (const { index, blocks } of modules.toReversed()) {
    layers += blocks.length;
    if (layers > depth && (index > 0 || modules.length === 1)) return index;
  }
  throw new LocalgradError(
    'invalid-option',
    `auglocal: depth ${depth} leaves no module with a local loss: ${backbone.name} has ${backbone.blocks.length} layers in ${modules.length} modules, and the last ${depth + 1} layers are trained together. Pass a smaller depth, another partition, or form imagenet.`,
    { depth, layers: backbone.blocks.length, modules: modules.length },
  );
}
