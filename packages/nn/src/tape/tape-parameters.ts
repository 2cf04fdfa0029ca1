import type { Mode } from '@localgrad/core';
import {
  type Initializer,
  LocalgradError,
  memberOf,
  type Parameter,
  type ParameterKind,
  type ParameterScope,
  type RandomSource,
  requireOption,
  shown,
} from '@localgrad/core';
import { add, mul, Tensor, tidy } from '@tensorflow/tfjs';
import { noiseRandom } from '../random/noise.js';

/** A parameter to be created in the scope of a block or head. */
export interface ParameterDeclaration {
  /** Name of the parameter within the scope. */
  readonly name: string;
  /** Shape of the parameter. */
  readonly shape: readonly number[];
  /** Initial values. */
  readonly initializer: Initializer;
}

/** Parameters and statistics of a tape block or head. */
export interface TapeParameterOptions {
  /** Scope for the declared parameters and statistics; its prefix also identifies the random numbers. */
  readonly scope?: ParameterScope;
  /** Weights and frozen parameters that `fn` receives, in this order. Default: none. */
  readonly parameters?: readonly (Parameter | ParameterDeclaration)[];
  /**
   * Running averages, e.g. of batch means. In training, `fn` returns the batch's values as `statistics`, in this order,
   * which update the averages; `fn` reads the averages from its context.
   */
  readonly statistics?: readonly (Parameter | ParameterDeclaration)[];
  /** Weight of a batch in the running averages; default 0.1. */
  readonly statisticsMomentum?: number;
}

export const tapeParameterOptionNames = ['scope', 'parameters', 'statistics', 'statisticsMomentum'] as const;

/** Context that `fn` receives besides its input. */
export interface TapeContext {
  /** Mode of the forward pass. */
  readonly mode: Mode;
  /**
   * Random numbers of this step; identical in a repeated forward pass. Absent in evaluation mode and in steps without
   * noise, where `fn` must be deterministic.
   */
  readonly random?: RandomSource;
  /** The running averages; borrowed. */
  readonly statistics: readonly Tensor[];
}

/** The parameters of one tape block or head, and the context of its function. */
export class TapeParameters {
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly #where: string;
  readonly #fullName: string;
  readonly #momentum: number;

  /** @param where kind and name used in messages, e.g. `tapeHead 'aux'` */
  constructor(where: string, name: string, options: TapeParameterOptions) {
    const { scope, parameters = [], statistics = [], statisticsMomentum = 0.1 } = options;
    const create = (one: Parameter | ParameterDeclaration, kind: ParameterKind): Parameter => {
      if (!('initializer' in one)) return one;
      if (scope === undefined) {
        throw new LocalgradError(
          'invalid-option',
          `${where}: parameter '${one.name}' is declared without a scope to create it in; add option 'scope'.`,
          { parameter: one.name },
        );
      }
      return scope.parameter(one.name, one.shape, one.initializer, kind);
    };
    requireParameters(where, 'parameters', parameters);
    requireParameters(where, 'statistics', statistics);
    this.parameters = parameters.map((one) => create(one, 'weight'));
    this.statistics = statistics.map((one) => create(one, 'statistic'));
    this.#where = where;
    this.#fullName = scope === undefined || scope.prefix === '' ? name : `${scope.prefix}.${name}`;
    this.#momentum = statisticsMomentum;
  }

  values(): Tensor[] {
    return this.parameters.map(tensorOf);
  }

  /** The parameters' tensors by name, for messages. */
  named(): Record<string, Tensor> {
    return Object.fromEntries(this.parameters.map(({ name, value }) => [`'${name}'`, value]));
  }

  context(mode: Mode): TapeContext {
    const statistics = this.statistics.map(tensorOf);
    if (!mode.training || mode.noise === undefined) return { mode, statistics };
    const { noise } = mode;
    return { mode, statistics, random: onFirstUse(() => noiseRandom(noise, this.#fullName)) };
  }

  /** Updates the running averages with a training batch's values. Borrows `batch`. */
  update(batch: readonly Tensor[] | undefined, mode: Mode): void {
    if (!mode.training) return;
    if ((batch?.length ?? 0) !== this.statistics.length) {
      throw new LocalgradError(
        'misuse',
        `${this.#where}: fn returned ${batch?.length ?? 0} statistics, but ${this.statistics.length} are declared; return one for each, in their order.`,
        { returned: batch?.length ?? 0, declared: this.statistics.length },
      );
    }
    if (mode.statisticsUpdates === 0) return;
    const kept = (1 - this.#momentum) ** mode.statisticsUpdates;
    this.statistics.forEach((statistic, index) => {
      const value = batch?.[index];
      if (value === undefined) return;
      statistic.assign(tidy(() => add(mul(statistic.value, kept), mul(value, 1 - kept))));
    });
  }
}

/** @throws LocalgradError `invalid-option` unless all entries are parameters or declarations of parameters */
function requireParameters(where: string, option: string, entries: unknown): void {
  requireOption(Array.isArray(entries), where, option, entries, 'a list');
  for (const [index, entry] of entries.entries()) {
    if (typeof memberOf(entry, 'initializer') === 'function' || memberOf(entry, 'value') instanceof Tensor) continue;
    const given = entry instanceof Tensor ? 'a tensor' : shown(entry);
    throw new LocalgradError(
      'invalid-option',
      `${where}: entry ${index} of option '${option}' is ${given}; allowed: declarations { name, shape, initializer }, such as { name: 'bias', shape: [10], initializer: zeros } with zeros of @localgrad/nn/random, and what scope.parameter returns.`,
      { where, option, index },
    );
  }
}

export function tensorOf(parameter: Parameter): Tensor {
  return parameter.value;
}

/** A generator that is created when the first number is drawn: most functions draw none. */
function onFirstUse(create: () => RandomSource): RandomSource {
  let source: RandomSource | undefined;
  const created = () => {
    source ??= create();
    return source;
  };
  return { uniform: () => created().uniform(), normal: () => created().normal() };
}
