// Reads mutated inputs with every reader: npm run fuzz -- [--inputs 10000] [--seed 1] [--reader safetensors]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: '' },
  },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'tools/fuzz'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    // The readers' test is a slow one.
    LOCALGRAD_TESTS: 'all',
    LOCALGRAD_FUZZ_INPUTS: values.inputs,
    LOCALGRAD_FUZZ_SEED: values.seed,
    LOCALGRAD_FUZZ_READER: values.reader,
  },
});
process.exit(status ?? 1);
