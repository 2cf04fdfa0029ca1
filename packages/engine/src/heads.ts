import {
  buildHead as buildWithFactory,
  type Head,
  type HeadCost,
  LocalgradError,
  moduleInputTarget,
  type Network,
  type Objective,
  outputGradientTarget,
  type Parameter,
  type ParameterScope,
  type Shape3,
  shown,
  type Targets,
} from '@localgrad/core';
import { type CreateTargets, headCostOf } from '@localgrad/nn/cost';
import * as tf from '@tensorflow/tfjs';
import { sharedScope } from './shared-scope.js';

/** A built head and the objectives that read it. */
export interface CompiledHead {
  /** Key of the head in its plan. */
  readonly key: string;
  /** Index of the module whose output the head reads. */
  readonly module: number;
  /** The built head. */
  readonly head: Head;
  /** The objectives that read the head's loss. */
  readonly objectives: readonly Objective[];
}

/** `head 'leap+0c1f' (module2.leap) on module 2 (1,2)`: describes a head in messages. */
export function headPlace({ key, module, head }: Omit<CompiledHead, 'objectives'>, { modules }: Network): string {
  return `head '${head.name}' (${key}) on module ${module} ${modules[module]?.name ?? ''}`;
}

/** Names of the targets that a head reads. */
export function targetsOf({ reads = ['labels'] }: Head): readonly string[] {
  return reads;
}

/** Names of the targets that a head reads from the batch. */
export function batchTargetsOf(head: Head): readonly string[] {
  return targetsOf(head).filter((name) => name !== moduleInputTarget && name !== outputGradientTarget);
}

export function readsModuleInput(head: Head): boolean {
  return targetsOf(head).includes(moduleInputTarget);
}

/** Whether the head predicts the gradient of its input, and learns from the next module. */
export function synthesizes({ synthesize }: Pick<Head, 'synthesize'>): boolean {
  return synthesize !== undefined;
}

/** The targets for a head: those of the batch, and the module's input if the head reads it. */
export function headTargets(head: Head, targets: Targets, moduleInput: tf.Tensor4D | undefined): Targets {
  return moduleInput !== undefined && readsModuleInput(head) ? { ...targets, moduleInput } : targets;
}

/** The cost of a head; measured on targets like those that it reads, unless it is declared. Default: labels and images. */
export function costOfHead(
  { head, module }: Pick<CompiledHead, 'head' | 'module'>,
  { network, createTargets }: { readonly network: Network; readonly createTargets?: CreateTargets | undefined },
): HeadCost {
  const isUsual = batchTargetsOf(head).every((name) => name === 'labels' || name === 'images');
  const create = createTargets ?? (isUsual ? usualTargets(network.imageShape) : undefined);
  if (create === undefined || (!readsModuleInput(head) && !synthesizes(head))) return headCostOf(head, create);
  const provided = synthesizes(head)
    ? ([outputGradientTarget, head.inputShape] as const)
    : ([moduleInputTarget, shapeBetween(network, module - 1)] as const);
  const [name, shape] = provided;
  return headCostOf(head, (batchSize) => ({
    ...create(batchSize),
    [name]: tf.zeros<tf.Rank.R4>([batchSize, ...shape]),
  }));
}

function usualTargets(imageShape: Shape3): CreateTargets {
  return (batchSize) => ({
    labels: tf.zeros<tf.Rank.R1>([batchSize], 'int32'),
    images: tf.zeros<tf.Rank.R4>([batchSize, ...imageShape]),
  });
}

/** Shape of a module's output; of the images for module −1. */
export function shapeBetween({ modules, imageShape }: Network, module: number): Shape3 {
  return modules[module]?.outputShape ?? imageShape;
}

/**
 * Builds each head once, and groups the objectives that share it. Heads with the highest peak memory run first, while no other head's
 * cotangent is stored.
 *
 * @param check throws unless the heads can be used; they are asked for their memory afterwards
 */
export function groupObjectives(
  objectives: readonly Objective[],
  network: Network,
  scope: ParameterScope,
  check: (heads: readonly CompiledHead[]) => void = () => {},
): Map<number, CompiledHead[]> {
  const byKey = new Map<string, [Objective, ...Objective[]]>();
  for (const objective of objectives) {
    const group = byKey.get(objective.head.key);
    if (group === undefined) byKey.set(objective.head.key, [objective]);
    else group.push(objective);
  }
  const common = new Map<string, Map<string, Parameter>>();
  const sharedBy = ({ head: { shares } }: Objective, key: string): ParameterScope | undefined => {
    if (shares === undefined) return undefined;
    const known = common.get(shares.key) ?? new Map<string, Parameter>();
    common.set(shares.key, known);
    return sharedScope(scope.scope(shares.key), scope.scope(key), known);
  };
  const result = new Map<number, CompiledHead[]>();
  for (const [key, group] of byKey) {
    const [first] = group;
    const module = first.span[1];
    const head = buildHead(first, module, network, { own: scope.scope(key), shared: sharedBy(first, key) });
    const compiled = { key, module, head, objectives: group };
    result.set(module, [...(result.get(module) ?? []), compiled]);
  }
  check([...result.values()].flat());
  const hunger = (compiled: CompiledHead) => costOfHead(compiled, { network }).evaluatePeakBytes(1);
  for (const group of result.values()) group.sort((a, b) => hunger(b) - hunger(a));
  return result;
}

interface HeadScopes {
  readonly own: ParameterScope;
  readonly shared: ParameterScope | undefined;
}

function buildHead(objective: Objective, module: number, network: Network, { own, shared }: HeadScopes): Head {
  const { factory } = objective.head;
  const { backbone, modules } = network;
  if (factory === undefined) return classifierOf(backbone);
  const context = {
    module,
    modules: modules.length,
    inputShape: shapeBetween(network, module),
    moduleInputShape: shapeBetween(network, module - 1),
    finalShape: shapeBetween(network, modules.length - 1),
    classes: network.classes,
    imageShape: network.imageShape,
    ...(shared === undefined ? {} : { shared }),
  };
  const where = `The head factory '${factory.name}' of objective '${objective.id}' on module ${module}`;
  return buildWithFactory(factory, context, own, where);
}

function classifierOf({ name, classifier }: Network['backbone']): Head {
  if (typeof classifier === 'object' && classifier !== null) return classifier;
  throw new LocalgradError('misuse', `Backbone '${name}': its classifier is ${shown(classifier)}; it must be a head.`);
}
