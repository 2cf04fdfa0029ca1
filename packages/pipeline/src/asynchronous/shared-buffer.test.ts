import { ReplayBuffer, type Sampling } from '@localgrad/asynchronous';
import { createRandom } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { SharedReplayBuffer } from './shared-buffer.js';

const slotBytes = 16;

/** A batch of 1 to 16 equal bytes. */
const bytesOf = (batch: number) => new Uint8Array(1 + (batch % slotBytes)).fill(batch);

describe('SharedReplayBuffer', () => {
  it.each<[Sampling, number, number]>([
    ['priorityLifo', 3, Number.POSITIVE_INFINITY],
    ['priorityLifo', 2, 1],
    ['lifo', 4, 2],
    ['random', 3, 0],
    ['publishedLifo', 3, Number.POSITIVE_INFINITY],
  ])('reads as ReplayBuffer does, from both ends: %s, %i slots, %d more reads', (sampling, bufferSize, maxReuse) => {
    const rules = { sampling, bufferSize, maxReuse };
    const writer = SharedReplayBuffer.create(rules, slotBytes);
    const reader = new SharedReplayBuffer(rules, writer.memory);
    const model = new ReplayBuffer(rules);
    const slots: number[] = [];
    const reads = new Map<number, number>();
    const random = createRandom(3, 'actions');
    let writes = 0;
    for (let action = 0; action < 400; action++) {
      if (random.uniform() < 0.4) {
        slots[model.write()] = writes;
        writer.write(100 + writes, bytesOf(writes));
        writes++;
        continue;
      }
      const draw = () => createRandom(9, `draw${action}`);
      const slot = model.read(draw);
      const read = reader.read(draw);
      expect(read?.output).toBe(slot === undefined ? undefined : slots[slot]);
      if (read === undefined) continue;
      const { output, batch, bytes } = read;
      expect([batch, bytes]).toEqual([100 + output, bytesOf(output)]);
      expect(output).toBeGreaterThanOrEqual(writes - bufferSize);
      reads.set(output, 1 + (reads.get(output) ?? 0));
    }
    expect(Math.max(...reads.values())).toBeLessThanOrEqual(maxReuse + 1);
    expect(reads.size).toBeGreaterThan(50);
  });

  it('rejects batches that are larger than a slot, and stores nothing then', () => {
    const rules = { sampling: 'lifo', bufferSize: 2, maxReuse: 0 } as const;
    const buffer = SharedReplayBuffer.create(rules, slotBytes);
    expect(() => buffer.write(0, new Uint8Array(slotBytes + 1))).toThrow(/has 17 bytes, more than the 16 of a slot/);
    expect(buffer.read(() => createRandom(1, 'x'))).toBeUndefined();
  });
});
