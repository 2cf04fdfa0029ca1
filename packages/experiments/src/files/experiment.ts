import { type JsonObject, shown } from '@localgrad/core';
import {
  type ConfigIssue,
  explainIssues,
  hashOf,
  parseYaml,
  unknownKey,
  validate,
  type YamlDocument,
} from '@localgrad/runs';
import type { z } from 'zod';
import { checkEarlyStopping } from './check-early-stopping.js';
import { checkCount } from './count.js';
import { type Draft, draftsOf, labelProblem } from './drafts.js';
import { nestedKeys, ownKeyOf } from './experiment-keys.js';
import { type ExperimentInput, experimentKeys, experimentSchema } from './experiment-schema.js';
import { type Factor, factorsOf } from './factors.js';
import { withOverrides } from './overrides.js';
import { plainName } from './plain-name.js';
import { searchFactors, textRanges } from './search.js';
import { rejectSeedTexts, seedsOf } from './seeds.js';
import { placesIn as bracesIn, fill, longestText, placeProblem } from './templates.js';

/** What one run's config may hold: the schema of the program that runs it. */
export type RunSchema = z.ZodObject;

/** Everything but the seed of some runs. */
export interface PlannedCondition {
  readonly key: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Resolved: defaults are filled in. Without `seed`. */
  readonly config: JsonObject;
  /** Name without the values that it may choose from; conditions with equal settings are one row of a report. */
  readonly setting?: string | undefined;
}

/** An experiment file, resolved. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly factors: readonly string[];
  /** Those of them that conditions choose from. */
  readonly tune: readonly string[];
  readonly conditions: readonly PlannedCondition[];
  readonly seeds: readonly number[];
  /** Those that make the choices of `tune`; the others run with the chosen values only. */
  readonly tuneSeeds: readonly number[];
  readonly compare: { readonly factor: string; readonly baseline: string } | null;
  /** Key of a condition. */
  readonly reference: string | null;
  readonly checkpoints: ExperimentInput['checkpoints'];
  readonly trackers: ExperimentInput['trackers'];
  readonly earlyStopping: EarlyStopping | null;
  readonly retries: number;
  /** Text of the file. */
  readonly source: string;
  /** Values that replace some of the file's, as `path=value`. */
  readonly overrides: readonly string[];
}

/** When hopeless runs are stopped. */
export type EarlyStopping = NonNullable<ExperimentInput['earlyStopping']>;

export interface ParseOptions {
  readonly schema: RunSchema;
  /** Values that replace some of the file's, as `path=value`: `epochs=1`, `seeds=2`, `grid.modules=[4,8]`. */
  readonly overrides?: readonly string[] | undefined;
  /** Checks a config as a whole, `given` without defaults; returns the problem and its key. */
  readonly check?: (
    config: JsonObject,
    given: Readonly<Record<string, unknown>>,
  ) => Promise<{ readonly key: string; readonly message: string } | undefined>;
}

/**
 * Reads an experiment file.
 *
 * @param file name for messages
 * @throws LocalgradError `invalid-data` with `file:line:column` before everything that is wrong
 */
export async function parseExperiment(text: string, file: string, options: ParseOptions): Promise<Experiment> {
  const document = withOverrides(parseYaml(text, file, experimentKeys), options.overrides ?? []);
  const nested = (path: readonly PropertyKey[]) => nestedKeys[String(path[0])] ?? experimentKeys;
  rejectSeedTexts(document);
  const input = validate(document, experimentSchema, nested);
  checkKeys(document, input, options.schema);
  checkCount(document, input);
  const factors = factorsOf(document, input);
  const drafts = draftsOf(document, input, factors);
  const conditions: PlannedCondition[] = [];
  const issues: ConfigIssue[] = [];
  for (const draft of drafts) {
    const resolved = await resolve(draft, options);
    if ('issues' in resolved) issues.push(...resolved.issues);
    else conditions.push(resolved);
  }
  if (issues.length > 0) document.fail(issues);
  rejectRepetitions(document, conditions, drafts);
  const seeds = seedsOf(document, input);
  // A trial with fewer epochs or seeds keeps the rule of the file.
  if (options.overrides === undefined || options.overrides.length === 0) {
    checkEarlyStopping(document, input, conditions, seeds.seeds);
  }
  return {
    name: input.name,
    title: input.title ?? input.name,
    description: input.description ?? '',
    factors: [...factors.map(({ name }) => name), ...searchFactors(input), ...Object.keys(input.tune)],
    tune: Object.keys(input.tune),
    conditions,
    ...seeds,
    compare: compareOf(document, input, factors, conditions),
    reference: referenceOf(document, input, conditions),
    checkpoints: input.checkpoints,
    trackers: input.trackers,
    earlyStopping: input.earlyStopping ?? null,
    retries: input.retries,
    source: text,
    overrides: options.overrides ?? [],
  };
}

/** Wrong keys that are looked at; each costs a search for similar names. */
const mostIssues = 100;

/** Keys that no run config has, and `seed`, which has a key of its own here. */
function checkKeys(document: YamlDocument, input: ExperimentInput, schema: RunSchema): void {
  const allowed = Object.keys(schema.shape).filter((key) => key !== 'seed');
  const issues: ConfigIssue[] = [];
  const look = (value: object, path: readonly PropertyKey[], more: readonly string[] = []) => {
    for (const key of Object.keys(value)) {
      if (issues.length === mostIssues) return;
      if (key === 'seed')
        issues.push({
          path: [...path, key],
          isKey: true,
          message: "'seed' is not given here: list seeds under 'seeds'",
        });
      else if (![...allowed, ...more].includes(key)) {
        const message = ownKeyOf(key) ?? unknownKey(key, [...more, ...allowed]);
        issues.push({ path: [...path, key], isKey: true, message });
      }
    }
  };
  look(input.base, ['base']);
  look(input.grid, ['grid']);
  look(input.tune, ['tune']);
  const texts = textRanges(input);
  const ranges = Object.entries(input.search?.ranges ?? {}).filter(([name]) => !texts.has(name));
  look(Object.fromEntries(ranges), ['search', 'ranges']);
  for (const [index, entry] of input.include.entries()) look(entry, ['include', index], ['name']);
  if (issues.length > 0) document.fail(issues);
}

async function resolve(
  draft: Draft,
  { schema, check }: ParseOptions,
): Promise<PlannedCondition | { issues: ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const config = Object.fromEntries(
    Object.entries(draft.config).map(([key, value]) => {
      if (typeof value !== 'string') return [key, value];
      const filled = fill(value, draft.texts);
      if (filled === undefined) {
        const message = `${key}: ${shown(value)} has more than ${longestText} characters once factors are filled in`;
        issues.push({ path: draft.placeOf(key), isKey: false, isComplete: true, message });
        return [key, value];
      }
      const [open] = bracesIn(filled);
      if (open !== undefined) {
        const message = `${key}: ${placeProblem(value, open, draft.texts)}`;
        issues.push({ path: draft.placeOf(key), isKey: false, isComplete: true, message });
      }
      return [key, filled];
    }),
  );
  if (issues.length > 0) return { issues };
  const parsed = schema.safeParse(config);
  if (!parsed.success) {
    return {
      issues: explainIssues(parsed.error, config, Object.keys(schema.shape)).map(({ path, message }) => ({
        path: draft.placeOf(String(path[0])),
        isKey: false,
        isComplete: true,
        message: `${path.join('.')}: ${message}`,
      })),
    };
  }
  const { seed, ...resolved } = parsed.data as JsonObject;
  const problem = await check?.({ ...resolved, seed: seed ?? 1 }, config);
  if (problem !== undefined) {
    return {
      issues: [
        {
          path: draft.placeOf(problem.key),
          isKey: false,
          isComplete: true,
          message: `${problem.key}: ${problem.message}`,
        },
      ],
    };
  }
  const { name, labels, setting } = draft;
  return { key: hashOf(resolved), name, labels, config: resolved, ...(setting === undefined ? {} : { setting }) };
}

/** Conditions with the same config would count the same runs twice; conditions with the same name are ambiguous. */
function rejectRepetitions(
  document: YamlDocument,
  conditions: readonly PlannedCondition[],
  drafts: readonly Draft[],
): void {
  const seen = new Map<string, string>();
  const names = new Map<string, string>();
  for (const { key, name } of conditions) {
    const other = seen.get(key);
    if (other !== undefined) {
      const message = `'${other}' and '${name}' have the same config; leave one out with 'exclude'`;
      document.fail([{ path: ['factors'], isKey: true, message }]);
    }
    seen.set(key, name);
    const twin = names.get(plainName(name));
    if (twin !== undefined) {
      const message =
        twin === name
          ? `there are two conditions '${name}'; reports and 'reference' need different names`
          : `the names ${JSON.stringify(twin)} and ${JSON.stringify(name)} of conditions look the same in reports; choose different ones`;
      document.fail([
        {
          path: drafts.findLast((draft) => draft.name === name)?.placeOf('name') ?? [],
          isKey: false,
          isComplete: true,
          message,
        },
      ]);
    }
    names.set(plainName(name), name);
  }
}

/**
 * Where the file sets a key of a condition, as `file:line:column`.
 *
 * @param text an experiment file that was parsed without an error
 */
export function placesIn(
  text: string,
  file: string,
  overrides: readonly string[] = [],
): (condition: string, key: string) => string {
  const document = withOverrides(parseYaml(text, file, experimentKeys), overrides);
  const input = experimentSchema.parse(document.value);
  const drafts = draftsOf(document, input, factorsOf(document, input));
  const known = new Map(drafts.map((draft) => [draft.name, draft]));
  return (condition, key) => document.at(known.get(condition)?.placeOf(key) ?? []);
}

function compareOf(
  document: YamlDocument,
  { compare }: ExperimentInput,
  factors: readonly Factor[],
  conditions: readonly PlannedCondition[],
): Experiment['compare'] {
  if (compare === undefined) return null;
  const { factor, baseline } = compare;
  const isThere = conditions.some(({ labels }) => labels[factor] === baseline);
  const message =
    labelProblem(factors, factor, baseline) ??
    (isThere ? undefined : `no condition with the baseline '${baseline}' of '${factor}' is left: all are excluded`);
  if (message !== undefined) document.fail([{ path: ['compare'], isKey: false, isComplete: true, message }]);
  return compare;
}

function referenceOf(
  document: YamlDocument,
  { reference }: ExperimentInput,
  conditions: readonly PlannedCondition[],
): string | null {
  if (reference === undefined) return null;
  const nameOf = ({ name, setting }: PlannedCondition) => setting ?? name;
  const found = conditions.find((condition) => nameOf(condition) === reference);
  if (found !== undefined) return found.key;
  const names = [...new Set(conditions.map(nameOf))].map((name) => `'${name}'`).join(', ');
  return document.fail([
    {
      path: ['reference'],
      isKey: false,
      isComplete: true,
      message: `there is no condition '${reference}'. Allowed: ${names}`,
    },
  ]);
}
