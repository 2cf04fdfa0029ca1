import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { StallWatch } from './stall-watch.js';

it('StallWatch notices messages that wait, and no worker without any', async () => {
  let stalls = 0;
  const watch = new StallWatch(0.1, () => stalls++);
  await delay(150);
  watch.add();
  watch.add();
  await delay(60);
  watch.remove();
  await delay(60);
  watch.remove();
  await delay(150);
  expect(stalls).toBe(0);
  watch.add();
  await delay(150);
  expect(stalls).toBe(1);
});
