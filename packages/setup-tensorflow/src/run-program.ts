import { spawn } from 'node:child_process';

export interface ProgramResult {
  /** Exit code; 127 if the program was not found. */
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

/** Runs a program without a shell and collects its output. */
export function runProgram(program: string, args: readonly string[], folder = process.cwd()): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, output: `${program}: ${error.message}` }),
    );
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
