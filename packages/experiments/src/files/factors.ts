import type { ConfigIssue, YamlDocument } from '@localgrad/runs';
import type { ExperimentInput } from './experiment-schema.js';
import { plainName } from './plain-name.js';
import { placesIn } from './templates.js';

/** Something that differs between runs. */
export interface Factor {
  readonly name: string;
  /** Texts are put into places of other texts; grid values are values of a config key. */
  readonly kind: 'text' | 'grid';
  readonly levels: readonly { readonly label: string; readonly value: unknown }[];
}

/** One value of a factor. */
export interface Level {
  readonly factor: Factor;
  readonly label: string;
  readonly value: unknown;
  readonly index: number;
}

/** Values of config keys that every condition is run with, and may choose from. */
export function tunedFactors(document: YamlDocument, { tune, factors, grid, include }: ExperimentInput): Factor[] {
  const issues: ConfigIssue[] = [];
  const tuned = Object.entries(tune).map(([name, values]): Factor => {
    const path = ['tune', name];
    if (Object.hasOwn(factors, name) || Object.hasOwn(grid, name)) {
      issues.push({ path, isKey: true, message: `'${name}' is a factor already; name it in one place` });
    }
    for (const [index, condition] of include.entries()) {
      if (!Object.hasOwn(condition, name)) continue;
      const message = `'${name}' is chosen by each condition ('tune'), included ones too; remove it here or there`;
      issues.push({ path: ['include', index, name], isKey: true, message });
    }
    const factor = gridFactor([name, values]);
    const repeated = labelRepetition(factor);
    if (repeated !== undefined) issues.push({ path, isKey: true, message: repeated });
    return factor;
  });
  if (issues.length > 0) document.fail(issues);
  return tuned;
}

/** Those of `factors`, then those of `grid`, in the order of the file. */
export function factorsOf(document: YamlDocument, input: ExperimentInput): Factor[] {
  const texts = Object.entries(input.factors).map(([name, values]): Factor => {
    const levels = Array.isArray(values)
      ? values.map((value) => ({ label: String(value), value }))
      : document.keysAt(['factors', name]).flatMap((label) => {
          const value = values[label];
          return value === undefined ? [] : [{ label, value }];
        });
    return { name, kind: 'text', levels };
  });
  const grid = Object.entries(input.grid).map(gridFactor);
  const used = new Set(
    [...Object.values(input.base), ...texts.flatMap(({ levels }) => levels.map(({ value }) => value))].flatMap(
      (value) => (typeof value === 'string' ? placesIn(value) : []),
    ),
  );
  const issues: ConfigIssue[] = [];
  for (const { name, kind, levels } of [...texts, ...grid]) {
    const path = [kind === 'text' ? 'factors' : 'grid', name];
    if (kind === 'text' && !used.has(name)) {
      issues.push({
        path,
        isKey: true,
        message: `factor '${name}' is used nowhere; write {${name}} into a text of 'base', in quotes: "{${name}}"`,
      });
    }
    if (kind === 'grid' && Object.hasOwn(input.factors, name)) {
      issues.push({ path, isKey: true, message: `'${name}' is a factor already; name it in one place` });
    }
    const labels = levels.map(({ label }) => label);
    const broken = labels.find((label) => /[\n\t]/.test(label));
    if (broken !== undefined) {
      issues.push({
        path,
        isKey: true,
        message: `label ${JSON.stringify(broken)} of '${name}' contains a line break or a tab`,
      });
    }
    if (labels.length === 0) issues.push({ path, isKey: true, message: `factor '${name}' has no values` });
    if (labels.some((label) => plainName(label) === '')) {
      issues.push({ path, isKey: true, message: `a label of '${name}' is empty; reports need a name for each value` });
    }
    const repeated = labelRepetition({ name, levels });
    if (repeated !== undefined) issues.push({ path, isKey: true, message: repeated });
  }
  if (issues.length > 0) document.fail(issues);
  return [...texts, ...grid];
}

function gridFactor([name, values]: readonly [string, readonly unknown[]]): Factor {
  return { name, kind: 'grid', levels: values.map((value) => ({ label: gridLabel(value), value })) };
}

/** JSON has no NaN and no infinity: both would be labeled `null`. */
function gridLabel(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** The first label that looks like an earlier one, as a sentence. */
function labelRepetition({ name, levels }: Pick<Factor, 'name' | 'levels'>): string | undefined {
  const seen = new Map<string, string>();
  for (const { label } of levels) {
    const other = seen.get(plainName(label));
    if (other === label) return `'${name}' has the value '${label}' twice`;
    if (other !== undefined) return `the values '${other}' and '${label}' of '${name}' look the same in reports`;
    seen.set(plainName(label), label);
  }
  return undefined;
}

/** Every combination of values; the last factor changes fastest. One empty combination without factors. */
export function combinations(factors: readonly Factor[]): Level[][] {
  return factors.reduce<Level[][]>(
    (before, factor) =>
      before.flatMap((levels) => factor.levels.map((level, index) => [...levels, { factor, index, ...level }])),
    [[]],
  );
}
