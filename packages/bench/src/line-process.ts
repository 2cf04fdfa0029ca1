import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LocalgradError } from '@localgrad/core';

/** A child process that answers each line with one line of JSON, and idles in between. */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #name: string;
  #errors = '';

  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name;
    this.#child = spawn(command, [...args], { stdio: 'pipe' });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = `${this.#errors}${chunk.toString()}`.slice(-2000);
    });
    this.#child.on('error', (error) => {
      this.#errors += error.message;
    });
    // A child that has died answers no request; the next read says so.
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line. @throws LocalgradError `backend-unavailable` when the process ends instead */
  async read<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) {
      const reason = this.#errors.trim().split('\n').at(-1) ?? '';
      throw new LocalgradError(
        'backend-unavailable',
        `${this.#name} ended: ${reason === '' ? 'without a message' : reason}`,
      );
    }
    return JSON.parse(value as string) as T;
  }

  request<T>(line: string): Promise<T> {
    this.#child.stdin.write(`${line}\n`);
    return this.read<T>();
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await ended;
    clearTimeout(timer);
  }
}
