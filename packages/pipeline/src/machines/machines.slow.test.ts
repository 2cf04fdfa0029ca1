import { createHash } from 'node:crypto';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FixtureConfig } from '../plan.fixture.js';
import { runFixture } from '../run.fixture.js';
import type { MachineResult, MachineSettings } from './machine.fixture.js';
import { bundleMachines, freePort, type MachineProcess, startMachine } from './processes.fixture.js';
import { createCertificates, missingOpenssl } from './tls.fixture.js';

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
    ['dgl', '0-1 2-3', 2, false],
    ['infopro', '0@a 1@b 2-3@c', 3, missingOpenssl === undefined],
    ['mlaan(dgl)', '0 1 2-3', 3, false],
  ] as const)(
    'train %s on %s with the bits of one process; %d processes, TLS: %s',
    async (method, placement, ranks, isEncrypted) => {
      const config = { method };
      const own: Own = isEncrypted ? { tls: createCertificates() } : {};
      const results = await ends(await start(config, placement, Array<Own>(ranks).fill(own)));
      expect(results.map(({ code, errors }) => [code, /FAILED/.test(errors)])).toEqual(results.map(() => [0, false]));
      const found: MachineResult = JSON.parse(results[0]?.output ?? '');
      const { tensors, events } = await runFixture({ config });
      expect(found.events).toEqual(events);
      expect(found.tensors).toBe(createHash('sha256').update(tensors.join('\n')).digest('hex'));
    },
    patience,
  );
});

describe('a machine that is lost ends the run on all machines within seconds, each with one sentence', () => {
  const endless = { epochs: 1_000_000, limits: { silence: 2, join: 60 } };
  const config = { method: 'dgl' };

  /** Starts three machines, and waits until all of them train. */
  async function startThree(own: Own = {}): Promise<MachineProcess[]> {
    const machines = await start(config, '0 1 2-3', Array<Own>(3).fill({ ...endless, ...own }));
    await machines[0]?.says('epoch 2');
    return machines;
  }

  /** What each machine said when it failed, without ports. */
  async function failures(machines: readonly MachineProcess[]): Promise<string[]> {
    const before = performance.now();
    const results = await ends(machines);
    expect(performance.now() - before).toBeLessThan(60_000);
    return results.map(({ code, errors }) => {
      if (code === null) return 'killed';
      expect(code).toBe(1);
      return (/FAILED (.*)\n$/.exec(errors)?.[1] ?? errors).replace(/:\d+\)/g, ')');
    });
  }

  const ended = '[backend-lost] LocalgradError: Rank 0 has ended the run:';

  it(
    'when another rank is killed',
    async () => {
      const machines = await startThree();
      machines[2]?.process.kill('SIGKILL');
      const reason = 'Lost rank 2 (127.0.0.1): its connection was closed.';
      expect(await failures(machines)).toEqual([
        `[backend-lost] LocalgradError: ${reason}`,
        `${ended} ${reason}`,
        'killed',
      ]);
    },
    patience,
  );

  it(
    'when rank 0 is killed',
    async () => {
      const machines = await startThree();
      machines[0]?.process.kill('SIGKILL');
      const lost = '[backend-lost] LocalgradError: Lost rank 0 (127.0.0.1): its connection was closed.';
      expect(await failures(machines)).toEqual(['killed', lost, lost]);
    },
    patience,
  );

  it(
    'when a process is suspended',
    async () => {
      const machines = await startThree();
      const [, suspended] = machines;
      suspended?.process.kill('SIGSTOP');
      const others = await failures(machines.filter((machine) => machine !== suspended));
      const reason = 'Lost rank 1 (127.0.0.1): nothing was heard from it for 2 s.';
      expect(others).toEqual([`[backend-lost] LocalgradError: ${reason}`, `${ended} ${reason}`]);
      suspended?.process.kill('SIGCONT');
      // It finds its connections closed.
      await suspended?.end;
    },
    patience,
  );

  it(
    'when a worker accepts no messages',
    async () => {
      const death = { step: 12, how: 'hang' } as const;
      // Long enough for the worker to start.
      const own = { ...endless, limits: { ...endless.limits, stall: 15 } };
      const machines = await start({ ...config, death }, '0-1 2-3', Array<Own>(2).fill(own));
      const reason = 'The queue of rank 1 is full: its worker has answered no message for 15 s.';
      expect(await failures(machines)).toEqual([
        `[backend-lost] LocalgradError: ${reason}`,
        `[backend-lost] LocalgradError: ${reason}`,
      ]);
    },
    patience,
  );

  it(
    'when a worker fails',
    async () => {
      const death = { step: 12, how: 'error' } as const;
      const machines = await start({ ...config, death }, '0@a 1@b 2-3@c', Array<Own>(3).fill(endless));
      const reason = "Worker 'c' (modules 2 to 3) has ended: the optimizer is broken (at ";
      expect(await failures(machines)).toEqual([
        expect.stringContaining(`[backend-lost] LocalgradError: ${reason}`),
        expect.stringContaining(`${ended} ${reason}`),
        expect.stringContaining(`[backend-lost] LocalgradError: ${reason}`),
      ]);
    },
    patience,
  );

  it(
    'when a machine has another token or another version',
    async () => {
      const limits = { join: 8 };
      const strangers = await start(config, '0-1 2-3', [{ limits }, { token: 'another long token' }]);
      expect(await failures(strangers)).toEqual([
        '[backend-lost] LocalgradError: Of the 2 machines of the run, rank 1 did not call within 8 s (callers that were turned away: 1).',
        '[invalid-option] LocalgradError: Rank 0 (127.0.0.1) has rejected the token: it must be the same on all machines.',
      ]);
      const versions = ['1.0.0', '1.1.0'].map((version) => ({ facts: { 'version of localgrad': version } }));
      const reason =
        '[invalid-option] LocalgradError: Rank 1 (127.0.0.1) cannot take part: its version of localgrad is 1.1.0, but rank 0 expects 1.0.0.';
      expect(await failures(await start(config, '0-1 2-3', versions))).toEqual([reason, reason]);
    },
    patience,
  );
});
