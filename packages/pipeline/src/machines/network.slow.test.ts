import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runFixture } from '../run.fixture.js';
import type { MachineResult, MachineSettings } from './machine.fixture.js';
import { bundleMachines, type MachineProcess, startMachine } from './processes.fixture.js';

/** Two network namespaces that a virtual cable connects, as two machines. */
const namespaces = [0, 1].map((index) => ({
  name: `localgrad-${process.pid}-${index}`,
  cable: `lg${process.pid % 100_000}v${index}`,
  address: `10.77.${process.pid % 250}.${index + 1}`,
}));

const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' });
const inside = (name: string, ...args: string[]) => ip('netns', 'exec', name, ...args);

/** Why there are no namespaces here; undefined if there are. */
function connectNamespaces(): string | undefined {
  const [first, second] = namespaces;
  if (first === undefined || second === undefined) return 'no namespaces';
  const steps = [
    ...namespaces.map(({ name }) => ['netns', 'add', name]),
    [
      'link',
      'add',
      first.cable,
      'netns',
      first.name,
      'type',
      'veth',
      'peer',
      'name',
      second.cable,
      'netns',
      second.name,
    ],
    ...namespaces.flatMap(({ name, cable, address }) => [
      ['-n', name, 'address', 'add', `${address}/24`, 'dev', cable],
      ['-n', name, 'link', 'set', cable, 'up'],
      ['-n', name, 'link', 'set', 'lo', 'up'],
    ]),
  ];
  for (const step of steps) {
    const { status, stderr, error } = ip(...step);
    if (status !== 0) return error?.message ?? `ip ${step.join(' ')}: ${stderr.trim()}`;
  }
  return undefined;
}

/** A cable of 1 ms that loses 1 % of the packets. */
function disturb(): string | undefined {
  for (const { name, cable } of namespaces) {
    const { status, stderr } = inside(
      name,
      'tc',
      'qdisc',
      'add',
      'dev',
      cable,
      'root',
      'netem',
      'delay',
      '1ms',
      'loss',
      '1%',
    );
    if (status !== 0) return stderr.trim();
  }
  return undefined;
}

const missing = process.getuid?.() === 0 ? connectNamespaces() : 'root is required';
if (missing !== undefined) console.warn(`\nSKIPPED: two network namespaces: ${missing}\n`);
const clean = missing === undefined ? disturb() : undefined;
if (clean !== undefined)
  console.warn(`\nSKIPPED: delay and loss between the namespaces, which netem simulates: ${clean}\n`);

describe.skipIf(missing !== undefined)('two machines in network namespaces', () => {
  let bundle: Awaited<ReturnType<typeof bundleMachines>>;
  let backend: BackendHandle;
  const started: MachineProcess[] = [];
  beforeAll(async () => {
    bundle = await bundleMachines();
    backend = await selectBackend('wasm', { threads: 1 });
  }, 120_000);
  afterAll(async () => {
    for (const { process } of started) process.kill('SIGKILL');
    for (const { name } of namespaces) ip('netns', 'delete', name);
    backend.dispose();
    bundle.remove();
    await tf.setBackend('cpu');
  });

  const config = { method: 'dgl' };

  function start(own: Partial<MachineSettings>): MachineProcess[] {
    const addresses = namespaces.map(({ address }) => ({ host: address, port: 7470 }));
    const [first] = addresses;
    if (first === undefined) throw new Error('no namespaces');
    const program = bundle.urlOf('worker').href;
    const shared = { ranks: 2, first, program, token: 'a token of these tests', config, placement: '0-1 2-3', ...own };
    const machines = namespaces.map(({ name }, rank) =>
      startMachine(bundle.urlOf('machine'), { ...shared, rank }, ['ip', 'netns', 'exec', name]),
    );
    started.push(...machines);
    return machines;
  }

  it('train the bits of one process', { timeout: 120_000 }, async () => {
    const results = await Promise.all(start({}).map(({ end }) => end));
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const found: MachineResult = JSON.parse(results[0]?.output ?? '');
    const { tensors, events } = await runFixture({ config });
    expect(found.events).toEqual(events);
    expect(found.tensors).toBe(createHash('sha256').update(tensors.join('\n')).digest('hex'));
  });

  it('end within seconds when the cable is cut', { timeout: 120_000 }, async () => {
    const machines = start({ epochs: 1_000_000, limits: { silence: 3, join: 60 } });
    await machines[0]?.says('epoch 2');
    for (const { name, cable } of namespaces) ip('-n', name, 'link', 'set', cable, 'down');
    const before = performance.now();
    const results = await Promise.all(machines.map(({ end }) => end));
    expect(performance.now() - before).toBeLessThan(30_000);
    expect(results.map(({ code, errors }) => [code, /FAILED (.*)\n$/.exec(errors)?.[1]])).toEqual([
      [1, `[backend-lost] LocalgradError: Lost rank 1 (${namespaces[1]?.address}): nothing was heard from it for 3 s.`],
      [
        1,
        `[backend-lost] LocalgradError: Lost rank 0 (${namespaces[0]?.address}:7470): nothing was heard from it for 3 s.`,
      ],
    ]);
  });
});
