import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withShorterSpin } from './shorter-spin.js';

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
const binary = readFileSync(join(folder, 'wasm-out/tfjs-backend-wasm-threaded-simd.wasm'));

describe('withShorterSpin', () => {
  it('changes three constants of the pinned backend, which stays a valid module of the same size', async () => {
    const patched = withShorterSpin(binary);
    expect(patched.length).toBe(binary.length);
    const changed = [...patched.keys()].filter((index) => patched[index] !== binary[index]);
    // All bytes but the opcodes.
    expect(changed).toHaveLength(3 * 3);
    expect(WebAssembly.validate(new Uint8Array(patched))).toBe(true);
  });

  it('leaves the original bytes alone', () => {
    const before = Uint8Array.from(binary);
    withShorterSpin(binary);
    expect(Buffer.compare(before, binary)).toBe(0);
  });

  it('returns another file unchanged', () => {
    const other = Uint8Array.from([0x41, 0xc0, 0x84, 0x3d, 0x41, 0xc0, 0x84, 0x3d]);
    expect(withShorterSpin(other)).toBe(other);
  });
});
