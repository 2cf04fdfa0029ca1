import type { Parameter } from '@localgrad/core';
import { backboneOf, parametersOf, type WeightsOwner } from './backbone-parameters.js';

/** The first blocks of a network, as a file of another network names them. */
export interface LeadingBlocks {
  /** Weights and running statistics of the blocks up to the last one that the file names, by its names. */
  readonly parameters: Map<string, Parameter>;
  /** How many of them the file names. */
  readonly found: number;
  /** The file's names of the classifier's weights. */
  readonly others: ReadonlySet<string>;
  /** Names of the blocks after these, and of the classifier. */
  readonly untouched: readonly string[];
}

/**
 * The blocks from the stem on, at least two, that a file names. A network around another, such as one for label maps, has the
 * inner one in a scope of its own (`backbone.layer1.0.conv1.weight`), which the inner one's file does not name.
 *
 * @param names of the file's tensors, as the network would name them
 */
export function leadingBlocks(owner: WeightsOwner, names: ReadonlySet<string>): LeadingBlocks {
  return mostFound(['', sharedScope(owner)].map((scope) => blocksIn(owner, names, scope)));
}

/** The interpretation of a file that finds most in it. */
export function mostFound<One extends LeadingBlocks>(interpretations: readonly One[]): One {
  return interpretations.reduce((best, one) => (one.found > best.found ? one : best));
}

function blocksIn(owner: WeightsOwner, names: ReadonlySet<string>, scope: string): LeadingBlocks {
  const { blocks, classifier } = backboneOf(owner);
  const inFile = (name: string) => (name.startsWith(scope) ? name.slice(scope.length) : name);
  const entriesOf = (part: Parameters<typeof parametersOf>[0][number]) =>
    [...parametersOf([part])].map(([name, parameter]) => [inFile(name), parameter] as const);
  const parts = blocks
    .map(({ block }) => ({ name: block.name, parameters: entriesOf(block) }))
    .filter(({ parameters }) => parameters.length > 0);
  const isNamed = ([name]: readonly [string, Parameter]) => names.has(name);
  const last = parts.findLastIndex(({ parameters }) => parameters.some(isNamed));
  // The stem's names alone are no evidence: each block of a ResNet has them too.
  const leading = last < 1 ? [] : parts.slice(0, last + 1).flatMap(({ parameters }) => parameters);
  return {
    parameters: new Map(leading),
    found: leading.filter(isNamed).length,
    others: new Set(entriesOf(classifier).map(([name]) => name)),
    untouched: [...parts.slice(last + 1).map(({ name }) => name), classifier.name],
  };
}

/** The scope of the stem and the block after it, with its dot; empty if there is none. */
function sharedScope(owner: WeightsOwner): string {
  const names = [
    ...parametersOf(
      backboneOf(owner)
        .blocks.slice(0, 2)
        .map(({ block }) => block),
    ).keys(),
  ];
  const [first = ''] = names;
  const scopes = first.split('.').slice(0, -1);
  while (scopes.length > 0 && !names.every((name) => name.startsWith(`${scopes.join('.')}.`))) scopes.pop();
  return scopes.length === 0 ? '' : `${scopes.join('.')}.`;
}

/** Whether a tensor's name differs from one of these only in numbers: a block or layer that the network does not have. */
export function isAlike(name: string, patterns: ReadonlySet<string>): boolean {
  return patterns.has(patternOf(name));
}

/** `layer1.0.conv2.weight` → `layer#.#.conv#.weight`. */
export function patternOf(name: string): string {
  return name.replaceAll(/\d+/g, '#');
}
