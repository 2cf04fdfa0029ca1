import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('fixtures', import.meta.url));

/** Pixels decoded by PIL (scripts/image_fixtures.py). */
export interface Expected {
  readonly shape: readonly number[];
  readonly sha256: string;
}

interface Expectations {
  readonly images: Readonly<Record<string, Expected>>;
  readonly parquet: Readonly<
    Record<string, Readonly<Record<'train' | 'test', Expected & { readonly labels: number[] }>>>
  >;
  readonly imagenet: {
    readonly train: readonly (Expected & { readonly name: string })[];
    readonly test: readonly number[];
  };
}

export const expectations: Expectations = JSON.parse(readFileSync(join(root, 'expected.json'), 'utf8'));

export function fixture(...names: string[]): string {
  return join(root, ...names);
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
