import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SharedRing } from '../ring.js';
import { StallWatch } from './stall-watch.js';

it('StallWatch notices messages that no answer follows, and no worker without any', async () => {
  let stalls = 0;
  const queue = SharedRing.withCapacity(16);
  const watch = new StallWatch(queue, 0.2, () => stalls++);
  await delay(300);
  queue.write(Uint8Array.of(1, 2));
  for (let answer = 0; answer < 4; answer++) {
    await delay(100);
    watch.noteAnswer();
  }
  expect(stalls).toBe(0);
  await delay(400);
  expect(stalls).toBe(1);
});

it('StallWatch counts no time in which the process was stopped', async () => {
  let stalls = 0;
  const queue = SharedRing.withCapacity(16);
  const watch = new StallWatch(queue, 1, () => stalls++);
  queue.write(Uint8Array.of(1));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
  await delay(150);
  expect(stalls).toBe(0);
  watch.stop();
});
