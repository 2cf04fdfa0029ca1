#!/usr/bin/env node
import { runCommandLine } from './command-line.js';
import { interruption } from './interruption.js';

const exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruption(),
});
// A backend's idle threads would keep the process alive; wait only for what is still on its way to a pipe.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
process.exit(exitCode);
