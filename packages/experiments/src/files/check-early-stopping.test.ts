import { expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment } from './experiment.js';

const schema = z.strictObject({ epochs: z.int().default(3), modules: z.int().default(4), seed: z.int().default(1) });

const parse = (rule: string, more = 'seeds: 3\n', overrides: string[] = []) =>
  parseExperiment(`name: e\nearlyStopping: { ${rule} }\n${more}`, 'e.yaml', { schema, overrides });

it.each([
  [
    'graceEpochs: 5',
    'base: { epochs: 1 }\n',
    "2:18: 'graceEpochs' is 5, so that no run can be stopped: the longest has 1 epoch. Remove 'earlyStopping'",
  ],
  [
    'graceEpochs: 3',
    'grid: { epochs: [2, 3] }\n',
    "2:18: 'graceEpochs' is 3, so that no run can be stopped: the longest has 3 epochs. Allowed: 1 to 2; or remove 'earlyStopping'",
  ],
  [
    'graceEpochs: 1, peers: 40',
    'seeds: 3\n',
    "2:34: 'peers' is 40, so that no run can be stopped: at most 3 runs have the same number of epochs. Allowed: 1 to 2; or remove 'earlyStopping'",
  ],
  [
    'graceEpochs: 1',
    'seeds: 1\n',
    "'peers' is 4, so that no run can be stopped: at most 1 run has the same number of epochs. Remove 'earlyStopping'",
  ],
  [
    'graceEpochs: 2, peers: 3',
    'grid: { epochs: [2, 3] }\nseeds: 3\n',
    "'peers' is 3, so that no run can be stopped: at most 3 runs have the same number of epochs.",
  ],
])('rejects a rule that cannot stop a run: %s, %s', async (rule, more, message) => {
  await expect(parse(rule, more)).rejects.toThrow(message);
});

it('accepts a rule that can stop the last run', async () => {
  const { earlyStopping } = await parse('graceEpochs: 2, peers: 2');
  expect(earlyStopping).toEqual({ rule: 'median', graceEpochs: 2, peers: 2 });
});

it('accepts the rule of a file in a trial with fewer epochs and seeds', async () => {
  const { earlyStopping } = await parse('graceEpochs: 2, peers: 2', 'seeds: 3\n', ['epochs=1', 'seeds=1']);
  expect(earlyStopping).toMatchObject({ graceEpochs: 2 });
});
