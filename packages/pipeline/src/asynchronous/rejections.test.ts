import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AsynchronousPipelineOptions, asynchronousPlacement, createAsynchronousPipeline } from '../index.js';
import { formatPlacement } from '../placement.js';
import { build, type FixtureConfig } from '../plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A module per block, with windows of two in some stages. */
const windows = { method: 'mlm(dgl, within: stage)', modules: 6 } as const;
const program = new URL('file:///no-program.mjs');

function create(config: FixtureConfig, options: Partial<AsynchronousPipelineOptions>) {
  const { compiled, scope, optimizer } = build({ backbone: 'resnet14(width: 4)', ...config });
  try {
    return createAsynchronousPipeline({ compiled, program, placement: 2, ...options });
  } finally {
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  }
}

describe('createAsynchronousPipeline', () => {
  it.each<[FixtureConfig, Partial<AsynchronousPipelineOptions>, RegExp]>([
    [
      { method: 'lam(dgl)' },
      { placement: '0-1 2-3' },
      /head 'module\d\.leap' follows '.*' across the cut before module 2/,
    ],
    [
      { method: 'mlm(dgl)' },
      { placement: '0-1 2-3' },
      /a gradient of loss '.*' crosses the cut before module 2; allowed/,
    ],
    [
      { method: 'backprop' },
      { placement: '0 1-3' },
      /a gradient of loss 'final' crosses the cut before module 1; allowed: one worker\./,
    ],
    [
      { method: 'backprop' },
      {},
      /option 'workers' is 2; allowed: 1, because a gradient of loss 'final' crosses the cut before module 1/,
    ],
    [windows, { placement: 5 }, /option 'workers' is 5; allowed: 1 to 4, because a gradient/],
    [{ method: 'dgl' }, { asynchronous: { order: 'random' } }, /Workers train at their own pace, so option 'order'/],
    [{ method: 'dgl' }, { asynchronous: { slow: [{ module: 4, pace: 2 }] } }, /module indices from 0 to 3/],
    [{ method: 'dgl' }, { turns: [0, 2] }, /option 'turns' is 2; allowed: indices of workers from 0 to 1\./],
    [
      { method: 'dgl' },
      { backend: { name: 'cpu', threads: 1, relaxedSimd: true }, placement: '0 2-3' },
      /module 1 is in no group/,
    ],
  ])('rejects %j with %j', (config, options, message) => {
    expect(() => create(config, options)).toThrow(message);
  });

  it('accepts windows within a worker, and averages that follow nothing', () => {
    const placementOf = (config: FixtureConfig, placement: string | number) =>
      formatPlacement(create(config, { placement }).placement);
    expect(placementOf(windows, '0-1 2-3 4-5')).toBe('0-1 2-3 4-5');
    expect(placementOf({ method: 'lam(dgl, emaBlocks: none)' }, 4)).toBe('0 1 2 3');
  });

  it('rejects a checkpoint of something else, and owns its tensors', () => {
    const { memory } = create({ method: 'dgl' }, {});
    const before = tf.memory().numTensors;
    const tensors = new Map([['0/0/0/output', tf.zeros([1])]]);
    expect(() => memory.load({ turns: [1, 2], buffers: [] }, tensors)).toThrow(/does not contain the state/);
    expect(() => memory.load({}, new Map())).toThrow(/does not contain the state/);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('continues the counts of a checkpoint', () => {
    const counts = [10, 8, 4, 4].map((updates) => ({ updates, ages: 4, repeated: 2 }));
    const pipeline = create({ method: 'dgl' }, {});
    pipeline.memory.load({ turns: counts }, new Map());
    expect(pipeline.memory.values()).toEqual({ turns: counts });
    expect(pipeline.timing()[2]).toEqual({ module: 2, updatesPerBatch: 0.4, meanAge: 1, repeated: 0.5 });
  });
});

describe('asynchronousPlacement', () => {
  it('divides by predicted work', () => {
    const { compiled, scope, optimizer } = build({ method: 'dgl' });
    expect(asynchronousPlacement(compiled, 2)).toEqual(asynchronousPlacement(compiled, 2));
    expect(asynchronousPlacement(compiled, '0-2@a 3@b').map(({ worker }) => worker)).toEqual(['a', 'b']);
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  });
});
