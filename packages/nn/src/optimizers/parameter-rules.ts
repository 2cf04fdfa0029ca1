import { type JsonObject, type Optimizer, type Parameter, rejectUnknownKeys, requireOption } from '@localgrad/core';

/** Settings for the parameters whose names match. Where several rules match, later ones override earlier ones. */
export interface ParameterRule {
  /** Pattern for the full name, in which `*` matches any characters: `*.bias`, `heads.*`. */
  readonly match: string;
  /** Replaces the optimizer's weight decay. */
  readonly weightDecay?: number;
  /** Factor on the learning rate; default 1. */
  readonly learningRateScale?: number;
}

/** Per-parameter options, accepted by every optimizer. */
export interface ParameterOptions {
  /**
   * Apply weight decay to all parameters, or only to matrices and filters: not to biases, scales, class tokens and position
   * embeddings. Default `all`.
   */
  readonly decay?: 'all' | 'matrices';
  /** Rules for single parameters; later rules override earlier ones. Default: none. */
  readonly parameters?: readonly ParameterRule[];
}

export const parameterOptionNames = ['decay', 'parameters'] as const satisfies readonly (keyof ParameterOptions)[];

export interface ParameterSettings {
  readonly weightDecay: number;
  readonly learningRateScale: number;
}

/** The resolved options of an optimizer's parameters. */
export interface ResolvedParameterOptions {
  /** The settings of a parameter; computed once per name. */
  settingsOf(parameter: Parameter): ParameterSettings;
  /** Members of the optimizer. */
  readonly members: Pick<Optimizer, 'rules'>;
}

/**
 * @param optimizer name used in messages
 * @param weightDecay weight decay of parameters without a rule
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function resolveParameterOptions(
  optimizer: string,
  weightDecay: number,
  { decay = 'all', parameters = [] }: ParameterOptions,
): ResolvedParameterOptions {
  requireOption(decay === 'all' || decay === 'matrices', optimizer, 'decay', decay, 'all, matrices');
  requireOption(Array.isArray(parameters), optimizer, 'parameters', parameters, 'a list of rules');
  const rules = parameters.map((rule, index) => checkedRule(`${optimizer}, parameters[${index}]`, rule));
  const known = new Map<string, ParameterSettings>();
  const resolve = ({ name, shape }: Parameter): ParameterSettings => {
    let settings: ParameterSettings = {
      weightDecay: decay === 'all' || isMultiplied(shape) ? weightDecay : 0,
      learningRateScale: 1,
    };
    for (const { pattern, overrides } of rules) if (pattern.test(name)) settings = { ...settings, ...overrides };
    return settings;
  };
  const shownRules = rules.map(({ match, pattern }) => ({
    match,
    appliesTo: ({ name }: Parameter) => pattern.test(name),
  }));
  return {
    settingsOf(parameter) {
      const settings = known.get(parameter.name) ?? resolve(parameter);
      known.set(parameter.name, settings);
      return settings;
    },
    members: rules.length === 0 ? {} : { rules: shownRules },
  };
}

/**
 * Whether values of this shape are multiplied with their input, as matrices and filters are. Three extents are those of a map or a
 * token sequence, to which values such as class tokens and position embeddings belong.
 */
function isMultiplied(shape: readonly number[]): boolean {
  return shape.length === 2 || shape.length >= 4;
}

function checkedRule(where: string, rule: ParameterRule) {
  rejectUnknownKeys(where, rule, ['match', 'weightDecay', 'learningRateScale']);
  const { match, ...overrides } = rule;
  requireOption(typeof match === 'string' && match !== '', where, 'match', match, "names, with '*' for any characters");
  for (const [option, value] of Object.entries(overrides)) {
    requireOption(Number.isFinite(value) && value >= 0, where, option, value, 'numbers ≥ 0');
  }
  const parts = match.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return { match, pattern: new RegExp(`^${parts.join('.*')}$`, 's'), overrides };
}

/** The options that differ from their defaults, for an optimizer's config. */
export function parameterConfig({ decay, parameters }: ParameterOptions): JsonObject {
  return {
    ...(decay === undefined ? {} : { decay }),
    ...(parameters === undefined ? {} : { parameters: parameters.map((rule) => ({ ...rule })) }),
  };
}
