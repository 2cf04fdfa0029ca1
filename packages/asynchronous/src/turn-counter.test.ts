import { describe, expect, it } from 'vitest';
import { TurnCounter } from './turn-counter.js';

describe('TurnCounter', () => {
  it('continues from its state, also from one of an earlier version with batches of steps to come', () => {
    const counter = new TurnCounter(2);
    counter.add(0, { age: 0, isRepeated: false });
    counter.add(1, { age: -1, isRepeated: true });
    const restored = new TurnCounter(2);
    restored.restore(JSON.parse(JSON.stringify(counter.state())));
    restored.add(1, { age: 2, isRepeated: false });
    expect(restored.timing(1)).toEqual([
      { module: 0, updatesPerBatch: 1, meanAge: 0, repeated: 0 },
      { module: 1, updatesPerBatch: 2, meanAge: 0.5, repeated: 0.5 },
    ]);
  });

  it.each([[[]], [[{ updates: 1, ages: 0, repeated: 0 }]], [[{}, {}]], [[{ updates: -1, ages: 0, repeated: 0 }, {}]]])(
    'rejects the state of other modules: %j',
    (state) => {
      expect(() => new TurnCounter(2).restore(state)).toThrow('does not contain the state of asynchronous training');
    },
  );
});
