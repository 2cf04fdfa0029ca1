import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryMeter } from './memory-meter.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('MemoryMeter', () => {
  it('counts buffers and their peak, not handles', () => {
    const earlier = tf.zeros([100]);
    const meter = new MemoryMeter();
    const a = tf.zeros([4]);
    const clone = a.clone();
    const b = tf.zeros([2]);
    expect([meter.liveBytes, meter.peakBytes, meter.buffers]).toEqual([24, 24, 2]);
    tf.dispose([a, b]);
    expect([meter.liveBytes, meter.peakBytes, meter.buffers]).toEqual([16, 24, 1]);
    meter.reset();
    expect(meter.peakBytes).toBe(16);
    tf.dispose([clone, earlier]);
    expect(meter.liveBytes).toBe(0);
    meter.detach();
    tf.zeros([4]).dispose();
    expect(meter.peakBytes).toBe(16);
  });

  it('counts the existing tensors that it includes, once each, until they are released', () => {
    const [weight, other] = [tf.zeros([100]), tf.zeros([50])];
    const handle = weight.clone();
    const meter = new MemoryMeter({ including: [weight, handle] });
    expect([meter.liveBytes, meter.peakBytes, meter.buffers]).toEqual([400, 400, 1]);
    const next = tf.zeros([100]);
    tf.dispose([weight, handle, other]);
    expect([meter.liveBytes, meter.peakBytes]).toEqual([400, 800]);
    next.dispose();
    expect(meter.liveBytes).toBe(0);
    meter.detach();
  });

  it('counts a tensor that replaces an older one once, if asked', () => {
    const older = tf.zeros([100]);
    const ignoring = new MemoryMeter();
    const meter = new MemoryMeter({ countsOlder: true });
    const clone = older.clone();
    older.dispose();
    expect(meter.liveBytes).toBe(0);
    clone.dispose();
    expect(meter.liveBytes).toBe(-400);
    const newer = tf.zeros([100]);
    const extra = tf.zeros([3]);
    expect([meter.liveBytes, meter.peakBytes]).toEqual([12, 12]);
    expect([ignoring.liveBytes, ignoring.peakBytes]).toEqual([412, 412]);
    tf.dispose([newer, extra]);
    expect(meter.liveBytes).toBe(-400);
    meter.detach();
    ignoring.detach();
  });
});
