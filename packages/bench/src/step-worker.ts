import { createInterface } from 'node:readline';
import type { Contestant } from './options.js';
import type { Greeting, ProcessRequest } from './process-contestant.js';

// The program of a process that measures steps: it says what it runs, then answers each line with one measured step.

type Measured = Greeting & Pick<Contestant, 'step' | 'close'>;

/** Importing the stock wasm backend registers it, so that only a process which measures it does. */
async function start(request: ProcessRequest): Promise<Measured> {
  if (request.kind === 'stock-tape') {
    const { startStockTapeStep } = await import('./stock-tape-step.js');
    const step = await startStockTapeStep(request.options);
    const details = { threads: 1, device: 'stock TensorFlow.js' };
    return { modules: 1, backend: 'wasm', details, step, close: async () => {} };
  }
  const { startEngineStep } = await import('./engine-step.js');
  return startEngineStep(request.method, request.options);
}

const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const { step, close, ...greeting } = await start(JSON.parse(process.argv[2] ?? '{}'));
  answer(greeting);
  for await (const _ of createInterface({ input: process.stdin })) answer(await step());
  await close();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
