// Reads mutated inputs with every reader:     npm run fuzz -- [--inputs 10000] [--seed 1] [--reader safetensors]
// Trains networks of random configs of runs:  npm run fuzz -- runs [--inputs 100] [--seed 2] [--backend tensorflow]
// The same on workers, with the built program: npm run fuzz -- placements [--inputs 50] [--seed 2]
// Imports random models of layers:            npm run fuzz -- models [--inputs 300] [--seed 1] [--backend wasm]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage =
  'Usage: npm run fuzz -- [readers | runs | models | placements] [--inputs COUNT] [--seed NUMBER] [--reader NAME] [--backend NAME]';
const { values, positionals } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string' },
    backend: { type: 'string' },
  },
  allowPositionals: true,
});
/** The script that runs these tests, how many inputs they get, and the option that only they have. */
const kinds = {
  readers: { script: 'test', inputs: '10000', option: 'reader' },
  runs: { script: 'test', inputs: '100', option: 'backend' },
  models: { script: 'test', inputs: '300', option: 'backend' },
  placements: { script: 'test:e2e', inputs: '50' },
};
const [what = 'readers', ...others] = positionals;
const kind = kinds[what];
const isForeign = (option) => values[option] !== undefined && kind?.option !== option;
if (kind === undefined || others.length > 0 || ['reader', 'backend'].some(isForeign)) {
  console.error(usage);
  process.exit(2);
}
const { status } = spawnSync('npm', ['run', '--silent', kind.script, '--', `tools/fuzz/${what}`], {
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  stdio: 'inherit',
  env: {
    ...process.env,
    // These tests are slow ones.
    LOCALGRAD_TESTS: 'all',
    LOCALGRAD_FUZZ_INPUTS: values.inputs ?? kind.inputs,
    LOCALGRAD_FUZZ_SEED: values.seed,
    LOCALGRAD_FUZZ_READER: values.reader ?? '',
    LOCALGRAD_FUZZ_BACKEND: values.backend ?? '',
  },
});
process.exit(status ?? 1);
