import { at, LocalgradError, unknownName } from '@localgrad/core';
import { canonicalShape } from './canonical-shape.js';
import { type LayerGraph, type LayerNode, unsupported } from './layer-graph.js';

/** Consecutive layers of a graph that become one block: a single tensor enters, and a single one leaves. */
export interface Segment {
  /** Index of the first node. */
  readonly start: number;
  readonly nodes: readonly LayerNode[];
}

/** Layers that belong to the block after them, which reads their output. */
const leading = new Set([
  'ZeroPadding2D',
  'Dropout',
  'Flatten',
  'Reshape',
  'GlobalAveragePooling2D',
  'GlobalMaxPooling2D',
  'Rescaling',
]);
/** Layers with weights that belong to the block before them. */
const followers = new Set(['BatchNormalization', 'LayerNormalization', 'PReLU']);

/**
 * Cuts a graph at tensors that are the only one between what comes before and after. Each block starts with a layer that
 * has weights, or a part that branches (a residual block); normalization, activation and pooling follow, and padding,
 * dropout and flattening precede it. A depthwise convolution and the 1×1 convolution after it form one block.
 *
 * @param cuts names of layers after which a block must end
 * @returns at least two; the last one is the classifier's
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function segmentsOf(graph: LayerGraph, cuts: readonly string[] = []): Segment[] {
  const units = unitsOf(graph);
  const forced = new Set(cuts);
  const segments: LayerNode[][] = [];
  let hasCore = true;
  let before: LayerNode | undefined;
  for (const unit of units) {
    const last = segments.at(-1);
    const isCore = unit.length > 1 || unit.some(isWeighted);
    const isNew = (isCore && !continuesSeparable(last, unit)) || (unit.length === 1 && unit.some(isLeading));
    const isForced = before !== undefined && forced.has(before.name);
    if (last === undefined || isForced || (isNew && hasCore)) {
      segments.push([...unit]);
      hasCore = isCore;
    } else {
      last.push(...unit);
      hasCore ||= isCore;
    }
    before = unit.at(-1);
  }
  checkCuts(graph, units, segments, cuts);
  if (segments.length < 2) {
    throw unsupported(graph.model, 'it has a single block, which leaves nothing to train before the classifier');
  }
  let start = 0;
  return segments.map((nodes) => {
    start += nodes.length;
    return { start: start - nodes.length, nodes };
  });
}

/** The smallest parts between tensors at which the graph can be cut. */
function unitsOf({ nodes }: LayerGraph): LayerNode[][] {
  /** Index of the last node that reads the output of each node; −1 is the graph's input. */
  const lastReaders = new Map<number, number>();
  for (const [index, { inputs }] of nodes.entries()) for (const input of inputs) lastReaders.set(input, index);
  const units: LayerNode[][] = [];
  let unit: LayerNode[] = [];
  let open = lastReaders.get(-1) ?? -1;
  for (const [index, node] of nodes.entries()) {
    unit.push(node);
    const isOnly = open <= index;
    open = Math.max(open, lastReaders.get(index) ?? index);
    if ((isOnly && canonicalShape(node.shape) !== undefined) || index === nodes.length - 1) {
      units.push(unit);
      unit = [];
    }
  }
  return units;
}

function isWeighted({ layer }: LayerNode): boolean {
  return layer.weights.length > 0 && !followers.has(layer.getClassName());
}

function isLeading({ layer }: LayerNode): boolean {
  return leading.has(layer.getClassName());
}

/** Whether a unit is the 1×1 convolution that follows a depthwise one. */
function continuesSeparable(block: readonly LayerNode[] | undefined, unit: readonly LayerNode[]): boolean {
  const [node, ...others] = unit;
  if (node === undefined || others.length > 0 || node.layer.getClassName() !== 'Conv2D') return false;
  const isPointwise = String(node.layer.getConfig().kernelSize) === '1,1';
  return isPointwise && block?.filter(isWeighted).at(-1)?.layer.getClassName() === 'DepthwiseConv2D';
}

function checkCuts(
  graph: LayerGraph,
  units: readonly (readonly LayerNode[])[],
  segments: readonly (readonly LayerNode[])[],
  cuts: readonly string[],
): void {
  const classifier = segments.at(-1) ?? [];
  const allowed = units
    .flatMap((unit) => unit.slice(-1))
    .filter((node) => !classifier.includes(node))
    .map(({ name }) => name);
  let before = -1;
  for (const name of cuts) {
    const position = graph.nodes.findIndex((node) => node.name === name);
    if (position < 0) throw unknownName('layer', name, allowed);
    if (!allowed.includes(name)) {
      const reason = classifier.includes(at(graph.nodes, position, 'layer'))
        ? 'it belongs to the classifier'
        : 'other tensors are read behind it';
      throw badCut(name, reason, allowed);
    }
    if (position <= before) throw badCut(name, 'cuts must be in forward order, each once', allowed);
    before = position;
  }
}

function badCut(name: string, reason: string, allowed: readonly string[]): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `The model cannot be cut after layer '${name}': ${reason}. Allowed: ${allowed.join(', ')}.`,
    { layer: name, allowed },
  );
}
