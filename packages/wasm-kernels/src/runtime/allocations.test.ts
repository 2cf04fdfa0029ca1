import { describe, expect, it } from 'vitest';
import { Allocations, type EmscriptenModule } from './allocations.js';

/** A module that hands out addresses in order, and says what is freed. */
function fakeModule() {
  const freed: number[] = [];
  let next = 8;
  let isFull = false;
  const malloc = (bytes: number) => {
    if (isFull) return 0;
    next += bytes;
    return next - bytes;
  };
  const free = (pointer: number) => void freed.push(pointer);
  const module: EmscriptenModule = { asm: { malloc, free }, _malloc: malloc, _free: free, HEAPU8: new Uint8Array() };
  const fill = (value: boolean) => {
    isFull = value;
  };
  return { module, freed, fill };
}

/** Work that is pending until it is waited for. */
class FakeWork {
  isIdle = true;
  waits = 0;

  wait(): void {
    if (!this.isIdle) this.waits++;
    this.isIdle = true;
  }
}

function open(limitBytes = 2 ** 32) {
  const { module, freed, fill } = fakeModule();
  const allocations = Allocations.of(module, limitBytes, () => undefined);
  const work = new FakeWork();
  allocations.defer(work);
  const forKernels = (bytes: number) => allocations.forKernels(() => module._malloc(bytes));
  return { module, freed, fill, allocations, work, forKernels };
}

describe('allocations', () => {
  it('frees memory at once while nothing is pending', () => {
    const { module, freed, allocations } = open();
    const pointer = module._malloc(100);
    expect(allocations.usedBytes).toBe(100);
    module._free(pointer);
    expect([freed, allocations.usedBytes]).toEqual([[pointer], 0]);
  });

  it('keeps what is freed while work is pending, and gives it to kernels only', () => {
    const { module, freed, allocations, work, forKernels } = open();
    const [a, b] = [forKernels(100), forKernels(64)];
    work.isIdle = false;
    module._free(a);
    module._free(b);
    expect([freed, allocations.usedBytes, work.waits]).toEqual([[], 0, 0]);
    // Later kernels run after the pending ones. Other sizes get new memory.
    expect(forKernels(64)).toBe(b);
    expect([a, b]).not.toContain(forKernels(64));
    expect([allocations.usedBytes, work.waits]).toEqual([128, 0]);
    // The host would write at once.
    expect(module._malloc(100)).not.toBe(a);
    expect([freed, work.waits]).toEqual([[a], 1]);
  });

  it('frees what it has kept when the work is waited for, and when too much is kept', () => {
    const { module, freed, allocations, work, forKernels } = open();
    const pointers = [1, 2, 3].map(() => forKernels(2 ** 24));
    work.isIdle = false;
    module._free(pointers[0] as number);
    allocations.finish();
    expect([freed, work.waits]).toEqual([[pointers[0]], 1]);
    pointers[0] = forKernels(2 ** 24);
    work.isIdle = false;
    for (const pointer of pointers) module._free(pointer);
    expect([freed.length, work.waits]).toEqual([4, 2]);
  });

  it('waits for the work when memory is exhausted, and refuses if that frees none', () => {
    const { module, freed, fill, work, forKernels } = open();
    const pointer = forKernels(100);
    work.isIdle = false;
    module._free(pointer);
    fill(true);
    expect(() => forKernels(64)).toThrow(/heap is exhausted: 64 bytes were requested, and 0 of/);
    expect([freed, work.waits]).toEqual([[pointer], 1]);
  });

  it('waits before it frees memory that it has not allocated, and before the work of others', () => {
    const { module, freed, allocations, work } = open();
    work.isIdle = false;
    module._free(4);
    expect([freed, work.waits]).toEqual([[4], 1]);
    work.isIdle = false;
    allocations.defer(work);
    expect(work.waits).toBe(1);
    allocations.defer(new FakeWork());
    expect(work.waits).toBe(2);
  });

  it('refuses what exceeds the limit, and leaves the module as it was', () => {
    const { module, freed, allocations, work, forKernels } = open(100);
    const { malloc } = module.asm;
    expect(() => forKernels(101)).toThrow(/101 bytes were requested, and 0 of 100 bytes are in use/);
    const pointer = forKernels(100);
    work.isIdle = false;
    module._free(pointer);
    work.isIdle = true;
    allocations.close();
    expect(freed).toEqual([pointer]);
    expect(module._malloc).toBe(malloc);
  });
});
