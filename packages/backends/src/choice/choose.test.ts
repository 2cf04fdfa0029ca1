import { describe, expect, it } from 'vitest';
import { type Candidate, choose, describeTimes, inOrder } from './choose.js';

function candidate(name: string, { processor = true, available = true, hardware = true } = {}): Candidate {
  return { descriptor: { name, processor }, probe: { available, hardware, reason: '', device: '' } };
}

const gpu = candidate('webgpu', { processor: false });
const native = candidate('tensorflow');
const wasm = candidate('wasm');

describe('the backend that auto selects', () => {
  it('is that of a GPU, whatever the processor can do', () => {
    expect(choose([gpu, native, wasm], { tensorflow: 1, wasm: 2 })).toEqual({ names: ['webgpu'], measure: false });
  });

  it('is never an emulated GPU, nor one that is not installed', () => {
    const emulated = candidate('webgpu', { processor: false, hardware: false });
    const missing = candidate('tensorflow', { available: false });
    expect(choose([emulated, missing, wasm], undefined)).toEqual({ names: ['wasm'], measure: false });
    expect(choose([emulated, missing], undefined)).toBeUndefined();
  });

  it('has to be measured if several use the processor, and one of them has no time', () => {
    expect(choose([native, wasm], undefined)).toEqual({ names: ['tensorflow', 'wasm'], measure: true });
    expect(choose([native, wasm], { wasm: 2 })).toMatchObject({ measure: true });
  });

  it('is the one with the least time', () => {
    expect(choose([native, wasm], { tensorflow: 3, wasm: 2 })?.names).toEqual(['wasm', 'tensorflow']);
    expect(choose([native, wasm], { tensorflow: 1, wasm: 2 })?.names).toEqual(['tensorflow', 'wasm']);
  });

  it('is explained by the measured times', () => {
    const { names, times } = inOrder(['tensorflow', 'wasm'], { tensorflow: 33.8, wasm: 21.2 });
    expect(describeTimes(names, times)).toBe('wasm takes 21 ms for a piece of training, tensorflow 34 ms');
  });
});
