import { interruption, OutputWatch } from '@localgrad/experiments';
import { runCommandLine } from './command-line.js';

const stdout = new OutputWatch(process.stdout);
const stderr = new OutputWatch(process.stderr);

let exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruption(),
});
// A backend's idle threads would keep the process alive; wait only for what is still on its way to a pipe.
await stdout.flush();
if (stdout.lost !== undefined) {
  process.stderr.write(`localgrad: The result could not be written to standard output: ${stdout.lost.message}.\n`);
  exitCode ||= 1;
}
await stderr.flush();
process.exit(exitCode);
