import { createHash } from 'node:crypto';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FixtureConfig } from '../plan.fixture.js';
import { runFixture } from '../run.fixture.js';
import type { MachineResult, MachineSettings } from './machine.fixture.js';
import { bundleMachines, freePort, type MachineProcess, startMachine } from './processes.fixture.js';

let bundle: Awaited<ReturnType<typeof bundleMachines>>;
let backend: BackendHandle;
beforeAll(async () => {
  bundle = await bundleMachines();
  backend = await selectBackend('wasm', { threads: 1 });
}, 120_000);
afterAll(async () => {
  for (const { process } of started) process.kill('SIGKILL');
  backend.dispose();
  bundle.remove();
  await tf.setBackend('cpu');
});

const patience = 120_000;
const token = 'a token of these tests';
const started: MachineProcess[] = [];

type Own = Partial<MachineSettings>;

/** Starts one process for each rank, with settings of its own. */
async function start(config: FixtureConfig, placement: string, each: readonly Own[]): Promise<MachineProcess[]> {
  const first = { host: '127.0.0.1', port: await freePort() };
  const program = bundle.urlOf('worker').href;
  const machines = each.map((own, rank) =>
    startMachine(bundle.urlOf('machine'), {
      rank,
      ranks: each.length,
      first,
      program,
      token,
      config,
      placement,
      ...own,
    }),
  );
  started.push(...machines);
  return machines;
}

const ends = (machines: readonly MachineProcess[]) => Promise.all(machines.map(({ end }) => end));

describe('workers in processes that are connected by TCP', () => {
  it.each([
    ['dgl', '0-1 2-3', 2],
    ['infopro', '0@a 1@b 2-3@c', 3],
  ] as const)(
    'train %s on %s with the bits of one process',
    async (method, placement, ranks) => {
      const config = { method };
      const results = await ends(await start(config, placement, Array<Own>(ranks).fill({})));
      expect(results.map(({ code, errors }) => [code, /FAILED/.test(errors)])).toEqual(results.map(() => [0, false]));
      const found: MachineResult = JSON.parse(results[0]?.output ?? '');
      const { tensors, events } = await runFixture({ config });
      expect(found.events).toEqual(events);
      expect(found.tensors).toBe(createHash('sha256').update(tensors.join('\n')).digest('hex'));
    },
    patience,
  );
});
