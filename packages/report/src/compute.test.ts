import { expect, it } from 'vitest';
import { workOf, workUntil } from './compute.js';
import { syntheticStudy } from './study.fixture.js';

const [condition] = syntheticStudy().conditions;
const run = condition?.runs[0] ?? expect.fail('no run');

it('divides the work of a run equally among epochs that do not say how much theirs was', () => {
  const { length } = run.summary.epochs;
  expect(workUntil(run, length - 1)).toBe(workOf(run));
  expect(workUntil(run, 0)).toBeCloseTo((workOf(run) ?? 0) / length, 0);
});

it('counts what the phases of training did', () => {
  const works = [4e6, 1e6, 1e6, 2e6];
  const [record] = run.summary.epochs;
  const epochs = works.map((multiplyAccumulatesPerImage, index) => {
    return { ...(record ?? expect.fail('no epoch')), epoch: index + 1, multiplyAccumulatesPerImage };
  });
  const cost = { ...run.summary.cost, multiplyAccumulatesPerImage: 2e6 };
  const phased = { ...run, summary: { ...run.summary, epochs, steps: 40, cost, config: { batch: 8 } } };
  expect(works.map((_, position) => workUntil(phased, position))).toEqual([320e6, 400e6, 480e6, 640e6]);
});

it.each([
  ['an incomplete last batch', 65, 64, 6, 3 * 65],
  ['full batches', 128, 64, 6, 3 * 128],
  ['fewer images than a batch', 40, 64, 3, 3 * 40],
  ['an epoch that is not over', 65, 64, 5, 2 * 65 + 64],
])('counts the images that were trained on: %s', (_, images, batch, steps, trained) => {
  const training = { images, shape: [1], classes: 2, pixels: '', labels: '', targets: {} };
  const identity = { training } as unknown as NonNullable<typeof run.identity>;
  const cost = { ...run.summary.cost, multiplyAccumulatesPerImage: 10 };
  const recorded = { ...run, identity, summary: { ...run.summary, steps, cost, config: { batch } } };
  expect(workOf(recorded)).toBe(10 * trained);
  expect(workOf({ ...recorded, identity: undefined })).toBe(10 * steps * batch);
});
