import { canonicalJson } from '@localgrad/experiments';
import type { RunConfig } from '../config/run-config.js';
import { loadData } from '../run.js';

const loaded = new Map<string, ReturnType<typeof loadData>>();

/** Data that a config names; conditions of an experiment mostly share it. */
export function loadOnce(config: RunConfig): ReturnType<typeof loadData> {
  const { dataset, dataFolder, resize, pad, trainImages, testImages } = config;
  const key = canonicalJson({ dataset, dataFolder, resize, pad, trainImages, testImages });
  const before = loaded.get(key);
  if (before !== undefined) return before;
  const data = loadData(config);
  loaded.set(key, data);
  return data;
}
