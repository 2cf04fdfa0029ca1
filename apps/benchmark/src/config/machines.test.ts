import { describe, expect, it } from 'vitest';
import { machinesOf } from './machines.js';

describe('machinesOf', () => {
  it('reads bandwidth, latency and speed with their units', () => {
    expect(machinesOf({})).toBeUndefined();
    expect(machinesOf({ bandwidth: '10Gbit' })).toEqual({ bandwidth: 1.25e9 });
    const { bandwidth, latency, speed } = machinesOf({ bandwidth: '100 MB/s', latency: '1ms', speed: '20G' }) ?? {};
    expect([bandwidth, latency, speed]).toEqual([1e8, 1e-3, 2e10]);
  });

  it.each([
    [{ bandwidth: '10' }, /--bandwidth: '10'; allowed: numbers > 0 with a unit, such as 10Gbit/],
    [{ bandwidth: '0Gbit' }, /--bandwidth: '0Gbit'/],
    [{ bandwidth: '1Gbit', latency: '3' }, /--latency: '3'; allowed/],
    [{ bandwidth: '1Gbit', speed: 'fast' }, /--speed: 'fast'; allowed/],
    [{ latency: '1ms' }, /--latency: has no effect without --bandwidth/],
  ])('rejects %j', (flags, message) => {
    expect(() => machinesOf(flags)).toThrow(message);
  });
});
