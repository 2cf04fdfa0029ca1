import { createHash } from 'node:crypto';
import { selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import type { TrainingEvent } from '@localgrad/train';
import { MachineGroup, serveWorker } from '../index.js';
import type { FixtureConfig } from '../plan.fixture.js';
import { runFixture } from '../run.fixture.js';
import type { LinkLimits } from './connection.js';
import type { Address, Facts } from './hello.js';
import type { TlsFiles } from './security.js';

/** What a process of these tests receives as its argument, as JSON. */
export interface MachineSettings {
  readonly rank: number;
  readonly ranks: number;
  readonly first: Address;
  readonly own?: Address;
  /** URL of the workers' program. */
  readonly program: string;
  readonly token: string;
  readonly tls?: TlsFiles;
  readonly limits?: LinkLimits;
  readonly facts?: Facts;
  readonly config: FixtureConfig;
  readonly placement: string;
  readonly epochs?: number;
}

/** What rank 0 prints of a run. */
export interface MachineResult {
  /** SHA-256 of all weights and optimizer states. */
  readonly tensors: string;
  readonly events: readonly string[];
}

const settings: MachineSettings = JSON.parse(process.argv[2] ?? '{}');
const { rank, ranks, first, own = { host: '127.0.0.1', port: 0 }, token, tls, limits = {}, facts = {} } = settings;
const { config, placement, epochs = 2 } = settings;
const security = { token, tls };
const program = new URL(settings.program);
const onProgress = (text: string) => process.stderr.write(`${text}\n`);

function reportEpoch(event: TrainingEvent): void {
  if (event.type === 'epoch-end') process.stderr.write(`epoch ${event.epoch}\n`);
}

async function runFirst(): Promise<void> {
  const machines = await MachineGroup.open({ ranks, port: first.port, security, limits, facts, onProgress });
  let failure: unknown;
  try {
    const backend = await selectBackend('wasm', { threads: 1 });
    const { tensors, events } = await runFixture({
      config,
      epochs,
      workers: { placement, program, machines },
      ...(epochs === 2 ? {} : { observers: [{ observe: reportEpoch }] }),
    });
    backend.dispose();
    const result: MachineResult = { tensors: createHash('sha256').update(tensors.join('\n')).digest('hex'), events };
    process.stdout.write(JSON.stringify(result));
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await machines.close(failure);
  }
}

try {
  if (rank === 0) await runFirst();
  else await serveWorker({ rank, ranks, first, own, program, security, limits, facts, onProgress });
} catch (error) {
  process.stderr.write(`FAILED ${LocalgradError.isInstance(error) ? `[${error.code}] ` : ''}${error}\n`);
  process.exitCode = 1;
}
