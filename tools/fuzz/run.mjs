// Reads mutated inputs with every reader:     npm run fuzz -- [--inputs 10000] [--seed 1] [--reader safetensors]
// Trains networks of random configs of runs:  npm run fuzz -- runs [--inputs 100] [--seed 1] [--backend tensorflow]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage =
  'Usage: npm run fuzz -- [readers | runs] [--inputs COUNT] [--seed NUMBER] [--reader NAME] [--backend NAME]';
const { values, positionals } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: '' },
    backend: { type: 'string' },
  },
  allowPositionals: true,
});
const [what = 'readers', ...others] = positionals;
const ofTheOther = what === 'runs' ? values.reader !== '' : values.backend !== undefined;
if (!['readers', 'runs'].includes(what) || others.length > 0 || ofTheOther) {
  console.error(usage);
  process.exit(2);
}
const root = fileURLToPath(new URL('../..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', `tools/fuzz/${what}`], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    // These tests are slow ones.
    LOCALGRAD_TESTS: 'all',
    LOCALGRAD_FUZZ_INPUTS: values.inputs ?? (what === 'runs' ? '100' : '10000'),
    LOCALGRAD_FUZZ_SEED: values.seed,
    LOCALGRAD_FUZZ_READER: values.reader,
    LOCALGRAD_FUZZ_BACKEND: values.backend ?? 'wasm',
  },
});
process.exit(status ?? 1);
