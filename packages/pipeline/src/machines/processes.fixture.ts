import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePrograms } from '../bundle.fixture.js';
import type { MachineSettings } from './machine.fixture.js';

/** The programs of the processes and their workers. */
export function bundleMachines() {
  return bundlePrograms({
    worker: join(import.meta.dirname, '../worker.fixture.ts'),
    machine: join(import.meta.dirname, 'machine.fixture.ts'),
    'link-thread': join(import.meta.dirname, '../link-thread.ts'),
  });
}

/** A process that stands for a machine. */
export interface MachineProcess {
  readonly process: ChildProcess;
  /** Resolves when its standard error contains a text. */
  says(text: string | RegExp): Promise<void>;
  /** What it has written when it has ended. */
  readonly end: Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>;
}

/** @param prefix command in front of `node`, e.g. to run it in a network namespace */
export function startMachine(machine: URL, settings: MachineSettings, prefix: readonly string[] = []): MachineProcess {
  const words = [...prefix, process.execPath, fileURLToPath(machine), JSON.stringify(settings)];
  const [command = '', ...args] = words;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const hasSaid = (text: string | RegExp) => (typeof text === 'string' ? errors.includes(text) : text.test(errors));
  return {
    process: child,
    says: (text) =>
      new Promise((resolve, reject) => {
        const check = () => hasSaid(text) && resolve();
        child.stderr.on('data', check);
        child.once('close', () => reject(new Error(`ended without '${text}': ${errors}`)));
        check();
      }),
    end: new Promise((resolve) => child.once('close', (code) => resolve({ code, output, errors }))),
  };
}

/** A port of this machine that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
