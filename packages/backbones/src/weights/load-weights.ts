import { LocalgradError, type Parameter, requireOption, sameShape, shortened, shown } from '@localgrad/core';
import {
  type Layouted,
  readSafetensors,
  type StoredTensor,
  weightFromPyTorch,
  weightShapeInPyTorch,
} from '@localgrad/nn/serialization';
import { tensor } from '@tensorflow/tfjs';
import { backboneOf, backboneParameters, parametersOf, type WeightsOwner } from './backbone-parameters.js';
import { descriptionKey, readDescription, type WeightsDescription } from './description.js';
import { isAlike, type LeadingBlocks, leadingBlocks, mostFound, patternOf } from './leading-blocks.js';
import { nameUnder, prefixOf, requireOnePrefix } from './prefix.js';
import { backboneName, batchNormOf, isAuxiliary, isAverageCounter, withoutWrappers } from './reference-names.js';

/** Axis order of a file's tensors. */
export type WeightsLayout = 'pytorch' | 'localgrad';

export interface LoadedWeights {
  readonly layout: WeightsLayout;
  /** Description in the file; undefined for files not written by localgrad. */
  readonly description?: WeightsDescription;
  /** Number of loaded tensors. */
  readonly loaded: number;
  /** Tensors that were not loaded: those of auxiliary networks, those outside the prefix, and with `blocks` all others. */
  readonly skipped: readonly string[];
  /** With `blocks`: names of the parts of the network that keep their weights, its classifier among them. */
  readonly untouched?: readonly string[];
  /** Prefix of the network's names in the file, e.g. `model.`, which was removed; undefined if there was none. */
  readonly prefix?: string;
}

/** Options of `loadWeights`. */
export interface LoadWeightsOptions {
  /**
   * `network` (default): the file has all weights. `blocks`: those of the first blocks, such as a ResNet trained on ImageNet for
   * other classes, or for the network around it that labels pixels; later blocks and the classifier keep theirs.
   */
  readonly part?: 'network' | 'blocks';
}

/**
 * Loads weights and running statistics from a safetensors file: written by localgrad, or the state dict of a network of
 * torchvision, timm or reference code (`conv1.weight`, `layer1.0.bn1.running_mean`; convolutions [out, in, height,
 * width]).
 * The layout is detected from the metadata or the shapes. Prefixes of wrapped models (`module.`, `_orig_mod.`), a
 * prefix of the whole network (`model.`, `net.`, `ema.`) and batch-norm counters are removed. Tensors of auxiliary
 * networks are returned as `skipped`.
 *
 * @param where file name used in messages
 * @throws LocalgradError `invalid-data` for an invalid safetensors file; `shape-mismatch` that lists every missing or
 *   unexpected tensor and every wrong shape or type. In both cases nothing is changed.
 */
export function loadWeights(
  owner: WeightsOwner,
  bytes: Uint8Array,
  where = 'safetensors data',
  { part = 'network' }: LoadWeightsOptions = {},
): LoadedWeights {
  requireOption(part === 'network' || part === 'blocks', 'loadWeights', 'part', part, 'network, blocks');
  const file = readSafetensors(bytes, where);
  const description = readDescription(file, where);
  const problems: string[] = [];
  const names = [...file.tensors.keys()].map(withoutWrappers);
  const leading = part === 'blocks' ? leadingBlocksOf(owner, names, where) : undefined;
  const parameters = leading?.parameters ?? backboneParameters(owner);
  const prefix = leading?.prefix ?? prefixOf(names, [...parameters.keys()], where);
  const { tensors, skipped } = ofBackbone(file.tensors, parameters, prefix, problems);
  if (leading !== undefined) skipped.push(...withoutOthers(tensors, leading));
  const layout = file.metadata[descriptionKey] === undefined ? likelierLayout(parameters, tensors) : 'localgrad';
  const values = new Map<Parameter, Layouted>();
  for (const [name, parameter] of parameters) {
    const expected = shapeIn(layout, parameter.shape);
    const found = asDense(tensors.get(name), expected);
    if (found === undefined) problems.push(`missing '${name}' [${expected.join(', ')}]`);
    else if (found.dtype !== 'F32' && found.dtype !== 'F64')
      problems.push(`'${name}' has type ${found.dtype}; expected a float type`);
    else if (!sameShape(found.shape, expected)) {
      problems.push(`'${name}' has shape [${shortened(found.shape.join(', '))}] instead of [${expected.join(', ')}]`);
    } else {
      const stored = { shape: found.shape, data: Float32Array.from(found.data) };
      values.set(parameter, layout === 'pytorch' ? weightFromPyTorch(stored) : stored);
    }
  }
  for (const [name, { shape }] of tensors) {
    if (!parameters.has(name)) problems.push(`unexpected ${shown(name)} [${shortened(shape.join(', '))}]`);
  }
  if (problems.length > 0) {
    const { name, inputShape, classes } = backboneOf(owner);
    throw new LocalgradError(
      'shape-mismatch',
      `${where}: the tensors do not match ${name} with ${inputShape[2]} input channels and ${classes} classes: ${listedByKind(problems)}.${hintFor(owner, problems, part)}`,
      { where, problems, layout },
    );
  }
  for (const [parameter, { data, shape }] of values) parameter.assign(tensor(data, [...shape], 'float32'));
  return {
    layout,
    ...(description === undefined ? {} : { description }),
    ...(prefix === '' ? {} : { prefix }),
    loaded: values.size,
    skipped,
    ...(leading === undefined ? {} : { untouched: leading.untouched }),
  };
}

interface PrefixedBlocks extends LeadingBlocks {
  /** Prefix of their names in the file. */
  readonly prefix: string;
}

/**
 * The blocks that a file names, under the prefix with most of them.
 *
 * @throws LocalgradError `shape-mismatch` if the file does not even have the first two blocks, `invalid-data` if it has them several
 *   times
 */
function leadingBlocksOf(owner: WeightsOwner, names: readonly string[], where: string): PrefixedBlocks {
  const scopes = names.flatMap((name) => [/^[^.]+\./, /^[^.]+\.[^.]+\./].flatMap((some) => some.exec(name)?.[0] ?? []));
  const found = [...new Set(['', ...scopes])].map((prefix) => {
    const under = names.flatMap((name) => nameUnder(prefix, name) ?? []);
    return { ...leadingBlocks(owner, new Set(under.map(backboneName))), prefix };
  });
  const best = mostFound(found);
  if (best.found > 0) {
    requireOnePrefix(prefixesOf(found, best), where);
    return best;
  }
  const backbone = backboneOf(owner);
  const wanted = [...parametersOf(backbone.blocks.slice(0, 2).map(({ block }) => block)).keys()];
  throw new LocalgradError(
    'shape-mismatch',
    `${where}: the file does not contain the first two blocks of ${backbone.name}: ${listed(wanted)}.`,
    { where, wanted },
  );
}

/** The prefixes under which as much is found as in the best interpretation, in other tensors. */
function prefixesOf(found: readonly PrefixedBlocks[], best: PrefixedBlocks): string[] {
  // A network around another names the inner one's tensors in two ways: with its scope, or with a prefix that is equal to it.
  const firstTensor = ({ prefix, parameters }: PrefixedBlocks) => prefix + [...parameters.keys()][0];
  const alike = found.filter((one) => one.found === best.found);
  return [...new Map(alike.map((one) => [firstTensor(one), one.prefix] as const).reverse()).values()].reverse();
}

/** Removes tensors that the blocks do not have, unless they look like the blocks' own; returns their names. */
function withoutOthers(tensors: Map<string, StoredTensor>, { parameters, others }: LeadingBlocks): string[] {
  const patterns = new Set([...parameters.keys()].map(patternOf));
  const removed = [...tensors.keys()].filter(
    (name) => !parameters.has(name) && (others.has(name) || !isAlike(name, patterns)),
  );
  for (const name of removed) tensors.delete(name);
  return removed;
}

/** A convolution that covers its whole input (timm's VGG) as the dense layer that it is. */
function asDense(found: StoredTensor | undefined, expected: readonly number[]): StoredTensor | undefined {
  if (found === undefined || found.shape.length !== 4 || expected.length !== 2) return found;
  const [outputs = 0, ...inputs] = found.shape;
  const shape = [outputs, inputs.reduce((product, extent) => product * extent, 1)];
  return sameShape(shape, expected) ? { ...found, shape } : found;
}

/** Some problems of each kind: of a network with other names, all are missing and all are unexpected. */
function listedByKind(problems: readonly string[]): string {
  const kindOf = (problem: string) => /^(missing|unexpected) |/.exec(problem)?.[1] ?? 'other';
  const kinds = [...new Set(problems.map(kindOf))];
  const lists = kinds.map((kind) => problems.filter((problem) => kindOf(problem) === kind));
  return lists.map((list) => listed(list, Math.ceil(20 / kinds.length))).join('; ');
}

/** What to do about a file for other classes. */
function hintFor(owner: WeightsOwner, problems: readonly string[], part: 'network' | 'blocks'): string {
  const names = backboneOf(owner).classifier.parameters.map(({ name }) => `'${name}'`);
  const isOfClassifier = problems.every((problem) => names.some((name) => problem.startsWith(`${name} has shape `)));
  return part === 'network' && isOfClassifier
    ? " The file is for other classes; part 'blocks' loads all weights but those of the classifier (--initial-part blocks)."
    : '';
}

function listed(problems: readonly string[], most = 20): string {
  const rest = problems.length - most;
  return problems.slice(0, most).join('; ') + (rest > 0 ? `; and ${rest} more` : '');
}

/** Selects the backbone's tensors, by our names. */
function ofBackbone(
  stored: ReadonlyMap<string, StoredTensor>,
  parameters: ReadonlyMap<string, Parameter>,
  prefix: string,
  problems: string[],
) {
  const tensors = new Map<string, StoredTensor>();
  const skipped: string[] = [];
  for (const [fullName, found] of stored) {
    const reference = nameUnder(prefix, fullName);
    if (reference === undefined || isAuxiliary(reference)) {
      skipped.push(fullName);
      continue;
    }
    const name = backboneName(reference);
    const counted = batchNormOf(reference);
    if (isAverageCounter(reference)) skipped.push(fullName);
    else if (counted !== undefined && parameters.has(`${counted}.running_var`)) continue;
    else if (tensors.has(name)) {
      problems.push(`duplicate ${shown(name)}: it also appears as ${shown(fullName)}`);
    } else tensors.set(name, found);
  }
  return { tensors, skipped };
}

/**
 * Detects the layout from the shapes, because both use the same names; PyTorch's if both match, e.g. with three
 * channels everywhere.
 */
function likelierLayout(
  parameters: ReadonlyMap<string, Parameter>,
  tensors: ReadonlyMap<string, StoredTensor>,
): WeightsLayout {
  const fitting = (layout: WeightsLayout) =>
    [...parameters].filter(([name, { shape }]) => sameShape(tensors.get(name)?.shape ?? [], shapeIn(layout, shape)))
      .length;
  return fitting('localgrad') > fitting('pytorch') ? 'localgrad' : 'pytorch';
}

function shapeIn(layout: WeightsLayout, shape: readonly number[]): readonly number[] {
  return layout === 'localgrad' ? shape : weightShapeInPyTorch(shape);
}
