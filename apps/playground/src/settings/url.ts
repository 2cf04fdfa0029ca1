import {
  defaultSettings,
  defaultShared,
  type RunSettings,
  ranges,
  type Settings,
  type SharedSettings,
} from './settings.js';

const methodLength = 2_000;

/** The query of a URL that restores the settings; contains only what differs from the defaults. */
export function toQuery({ shared, runs }: Settings): string {
  const query = new URLSearchParams();
  for (const [index, { method, modules }] of runs.entries()) {
    query.append(`method${suffix(index)}`, method);
    query.append(`modules${suffix(index)}`, String(modules));
  }
  for (const [key, value] of Object.entries(shared)) {
    if (value !== defaultShared[key as keyof SharedSettings]) query.append(key, String(value));
  }
  return `?${query}`;
}

/** The inverse of `toQuery`. Unknown keys and values that are not allowed are ignored. */
export function fromQuery(search: string): Settings {
  const query = new URLSearchParams(search);
  const runs = [0, 1].flatMap((index): RunSettings[] => {
    const method = query.get(`method${suffix(index)}`);
    if (method === null || method.length > methodLength) return [];
    const fallback = defaultSettings.runs[index]?.modules ?? 1;
    return [{ method, modules: numberOf(query, `modules${suffix(index)}`, fallback, ranges.modules) }];
  });
  const number = (key: NumberKey) => numberOf(query, key, defaultShared[key], ranges[key]);
  return {
    runs: runs.length === 0 ? defaultSettings.runs : runs,
    shared: {
      dataset: choice(query, 'dataset', ['fashion-mnist-subset', 'own']),
      trainImages: number('trainImages'),
      testImages: number('testImages'),
      resize: number('resize'),
      backbone: (query.get('backbone') ?? defaultShared.backbone).slice(0, methodLength),
      width: number('width'),
      epochs: number('epochs'),
      batch: number('batch'),
      learningRate: number('learningRate'),
      seed: number('seed'),
      backend: choice(query, 'backend', ['auto', 'wasm', 'webgpu']),
      threads: query.has('threads') ? threadsOf(query) : defaultShared.threads,
      relaxedSimd: query.get('relaxedSimd') !== 'false',
    },
  };
}

type NumberKey = Exclude<keyof typeof ranges, 'modules'>;

/** Whole numbers, but for the learning rate. */
export function isAllowed(key: keyof typeof ranges, value: number): boolean {
  const [least, most] = ranges[key];
  return value >= least && value <= most && (key === 'learningRate' || Number.isInteger(value));
}

function suffix(index: number): string {
  return index === 0 ? '' : String(index + 1);
}

function numberOf(
  query: URLSearchParams,
  key: string,
  fallback: number,
  [least, most]: readonly [number, number],
): number {
  const value = Number(query.get(key) ?? Number.NaN);
  const isWhole = key === 'learningRate' || Number.isInteger(value);
  return isWhole && value >= least && value <= most ? value : fallback;
}

function threadsOf(query: URLSearchParams): number | 'auto' {
  const value = Number(query.get('threads'));
  return Number.isInteger(value) && value >= 1 && value <= 64 ? value : 'auto';
}

function choice<Key extends 'dataset' | 'backend'>(
  query: URLSearchParams,
  key: Key,
  allowed: readonly SharedSettings[Key][],
): SharedSettings[Key] {
  return allowed.find((value) => value === query.get(key)) ?? defaultShared[key];
}
