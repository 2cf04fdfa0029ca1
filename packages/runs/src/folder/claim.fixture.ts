import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { thisProcess } from './process-identity.js';

/** A process of another machine. */
export const elsewhere = { host: 'another-machine', pid: 1, startTicks: '1' };

/** A process of this machine that has ended. */
export async function deadOwner() {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return { ...thisProcess(), pid: child.pid as number, startTicks: null };
}

/** A new run folder for each test, removed after it. */
export class TemporaryClaims {
  #folder = '';

  constructor() {
    beforeEach(() => {
      this.#folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-'));
    });
    afterEach(() => {
      vi.restoreAllMocks();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get folder(): string {
    return this.#folder;
  }

  fileOf(number: number): string {
    return join(this.#folder, 'claims', `${String(number).padStart(6, '0')}.json`);
  }

  writeOld(file: string, text: string, secondsOld: number): void {
    writeFileSync(file, text);
    const time = new Date(Date.now() - 1000 * secondsOld);
    utimesSync(file, time, time);
  }

  writeClaim(number: number, content: object | string, secondsOld = 0): void {
    mkdirSync(join(this.#folder, 'claims'), { recursive: true });
    const text =
      typeof content === 'string' ? content : JSON.stringify({ startedAt: '2026-01-01T00:00:00Z', ...content });
    this.writeOld(this.fileOf(number), text, secondsOld);
  }
}
