import { runCommandLine } from './command-line.js';
import { OutputWatch } from './output-watch.js';

const stdout = new OutputWatch(process.stdout);
const stderr = new OutputWatch(process.stderr);
const controller = new AbortController();
const stop = () => controller.abort(new Error('interrupted'));
// The first Ctrl-C, or a scheduler's request, ends the run after its step, with its files complete; the second one kills.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
// A closed terminal may send it twice: from the shell and from the kernel.
process.on('SIGHUP', stop);

let exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
// A backend's idle threads would keep the process alive; wait only for what is still on its way to a pipe.
await stdout.flush();
if (stdout.lost !== undefined) {
  process.stderr.write(`localgrad: The result could not be written to standard output: ${stdout.lost.message}.\n`);
  exitCode ||= 1;
}
await stderr.flush();
process.exit(exitCode);
