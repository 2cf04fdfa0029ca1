#!/usr/bin/env node
import { runCommandLine } from './command-line.js';

const controller = new AbortController();
// The first Ctrl-C, or a scheduler's request, ends the run after its step, with its files complete; the second one kills.
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => controller.abort(new Error('interrupted')));
}

const exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
// A backend's idle threads would keep the process alive; wait only for what is still on its way to a pipe.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
process.exit(exitCode);
