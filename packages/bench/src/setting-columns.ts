import type { CsvRecord } from './csv.js';
import type { MeasuredNetwork } from './options.js';

/** Settings that a row was measured with, besides those of its own columns. */
export const settingNames = [
  'image',
  'classes',
  'width',
  'partition',
  'stem_module',
  'memory',
  'optimizer',
  'clip_norm',
  'accumulate',
] as const;

type Settings = Pick<MeasuredNetwork, 'image' | 'classes'> & Partial<MeasuredNetwork>;

/** The columns of `settingNames`; empty where a setting was left to its default, or does not exist. */
export function settingColumns(settings: Settings): CsvRecord {
  const { image, classes, width, partition, stemModule, memory, optimizer, clipNorm, accumulate } = settings;
  return {
    image: image.join('x'),
    classes,
    width: width ?? null,
    partition: Array.isArray(partition) ? partition.join(' ') : (partition ?? null),
    stem_module: stemModule ?? null,
    memory: memory ?? null,
    optimizer: optimizer ?? null,
    clip_norm: clipNorm ?? null,
    accumulate: accumulate ?? null,
  };
}
