import { runCommandLine } from './command-line.js';

/** Runs a command as if it was typed, and returns its output. */
export async function runCaptured(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write(text: string) {
      written[name] += text;
    },
  });
  const exitCode = await runCommandLine(args, { stdout: stream('stdout'), stderr: stream('stderr') });
  return { exitCode, ...written };
}
