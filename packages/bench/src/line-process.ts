import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LocalgradError } from '@localgrad/core';

/** A child process that answers each line with one line of JSON, and waits in between. */
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
    // A child that has exited answers no request; the next read reports it.
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Reads the next line. @throws LocalgradError `backend-unavailable` if the process exits instead */
  async read<T>(): Promise<T> {
    const line = await this.#lines.next();
    if (line.done === true) {
      const reason = this.#errors.trim().split('\n').at(-1) ?? '';
      throw new LocalgradError(
        'backend-unavailable',
        reason === '' ? `${this.#name} exited without a message.` : `${this.#name} exited: ${reason}`,
      );
    }
    return JSON.parse(line.value);
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
