import type { ConfigIssue, YamlDocument } from '@localgrad/runs';
import type { ExperimentInput } from './experiment-schema.js';
import { combinations, type Factor, type Level, tunedFactors } from './factors.js';
import { plainName } from './plain-name.js';
import { type Sample, samplesOf } from './search.js';

/** A condition before its config is resolved, with the place in the file that each key comes from. */
export interface Draft {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly texts: Readonly<Record<string, string>>;
  readonly placeOf: (key: string) => readonly PropertyKey[];
  /** Name without the values that conditions choose from; undefined if there is no choice. */
  readonly setting?: string;
}

/** All conditions of an experiment, each with every combination of the values that it may choose from. */
export function draftsOf(document: YamlDocument, input: ExperimentInput, factors: readonly Factor[]): Draft[] {
  const drafts = [...gridDrafts(document, input, factors), ...includeDrafts(document, input)];
  const tuned = tunedFactors(document, input);
  if (tuned.length === 0) return drafts;
  return drafts.flatMap((draft) => combinations(tuned).map((levels) => tunedDraft(draft, levels)));
}

function tunedDraft(draft: Draft, levels: readonly Level[]): Draft {
  const indices = new Map(levels.map(({ factor, index }) => [factor.name, index]));
  return {
    ...draft,
    setting: draft.name,
    name: [draft.name, ...levels.map(({ factor, label }) => `${factor.name} ${label}`)].join(', '),
    labels: { ...draft.labels, ...Object.fromEntries(levels.map(({ factor, label }) => [factor.name, label])) },
    config: { ...draft.config, ...Object.fromEntries(levels.map(({ factor, value }) => [factor.name, value])) },
    placeOf: (key) => {
      const index = indices.get(key);
      return index === undefined ? draft.placeOf(key) : ['tune', key, index];
    },
  };
}

/** Every combination of factors, grid and samples that is not excluded. */
function gridDrafts(document: YamlDocument, input: ExperimentInput, factors: readonly Factor[]): Draft[] {
  checkLabels(document, input, factors);
  const isLeftOut = (labels: Readonly<Record<string, string>>) =>
    input.exclude.some((rule) => Object.entries(rule).every(([name, label]) => labels[name] === String(label)));
  const samples = samplesOf(document, input);
  const drafts = combinations(factors).flatMap((levels) => {
    const labels = Object.fromEntries(levels.map(({ factor, label }) => [factor.name, label]));
    return isLeftOut(labels) ? [] : samples.map((sample) => gridDraft(input, levels, labels, sample));
  });
  if (drafts.length > 0) return drafts;
  const rest = input.include.length === 0 ? '' : ' beside the included conditions';
  const message = `nothing is left to run${rest}: every combination is excluded`;
  return document.fail([{ path: ['exclude'], isKey: true, message }]);
}

function gridDraft(
  { base, name }: ExperimentInput,
  levels: readonly Level[],
  labels: Draft['labels'],
  sample: Sample,
): Draft {
  const chosen = levels.filter(({ factor }) => factor.kind === 'grid');
  const texts = levels.filter(({ factor }) => factor.kind === 'text');
  const indices = Object.fromEntries(chosen.map(({ factor, index }) => [factor.name, index]));
  const parts = [
    ...levels.map(({ factor, label }) => (factor.kind === 'grid' ? `${factor.name} ${label}` : label)),
    ...Object.entries(sample.labels).map(([factor, label]) => `${factor} ${label}`),
  ];
  return {
    name: parts.join(', ') || name,
    labels: { ...labels, ...sample.labels },
    config: {
      ...base,
      ...Object.fromEntries(chosen.map(({ factor, value }) => [factor.name, value])),
      ...sample.config,
    },
    texts: { ...Object.fromEntries(texts.map(({ factor, value }) => [factor.name, String(value)])), ...sample.texts },
    placeOf: (key) => {
      if (Object.hasOwn(sample.config, key)) return ['search', 'ranges', key];
      return indices[key] === undefined ? ['base', key] : ['grid', key, indices[key]];
    },
  };
}

/** The conditions beside the grid. */
function includeDrafts(document: YamlDocument, input: ExperimentInput): Draft[] {
  return input.include.map(({ name: given, ...config }, index): Draft => {
    // A number is a name like any other: `name: 2024`.
    const name = ['string', 'number', 'boolean'].includes(typeof given) ? String(given) : '';
    if (plainName(name) === '') {
      const message = `an included condition needs a name; found ${JSON.stringify(given) ?? 'none'}`;
      document.fail([{ path: ['include', index], isKey: false, isComplete: true, message }]);
    }
    return {
      name,
      labels: {},
      config: { ...input.base, ...config },
      texts: {},
      placeOf: (key) => (key === 'name' || Object.hasOwn(config, key) ? ['include', index, key] : ['base', key]),
    };
  });
}

function checkLabels(document: YamlDocument, input: ExperimentInput, factors: readonly Factor[]): void {
  const empty = input.exclude.findIndex((rule) => Object.keys(rule).length === 0);
  if (empty !== -1) {
    const message = 'an empty rule excludes every combination; name factors with their labels, or remove it';
    document.fail([{ path: ['exclude', empty], isKey: false, isComplete: true, message }]);
  }
  const issues = input.exclude.flatMap((rule, index) =>
    Object.entries(rule).flatMap(([name, label]): ConfigIssue[] => {
      const message = labelProblem(factors, name, String(label));
      return message === undefined ? [] : [{ path: ['exclude', index, name], isKey: false, isComplete: true, message }];
    }),
  );
  if (issues.length > 0) document.fail(issues);
}

/** What is wrong with a factor's label, if anything. */
export function labelProblem(factors: readonly Factor[], name: string, label: string): string | undefined {
  const factor = factors.find((candidate) => candidate.name === name);
  if (factor === undefined)
    return `there is no factor '${name}'. Allowed: ${factors.map((each) => each.name).join(', ') || "none, without 'factors' and 'grid'"}`;
  const labels = factor.levels.map((level) => level.label);
  return labels.includes(label) ? undefined : `factor '${name}' has no value '${label}'. Allowed: ${labels.join(', ')}`;
}
