// Runs the tests that every backend must pass on one backend: kernels compared with the reference, the conformance
// suites, PyTorch's reference tensors, training steps, hundreds of steps without leaks, and on webgpu a few recorded steps.
// npm run test:backend -- tensorflow [--required] [options of vitest]
import { spawnSync } from 'node:child_process';

const suites = ['tests/backends', 'packages/testing', 'tests/oracles/verify.test.ts', 'tests/steps/literal.test.ts'];
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || name.startsWith('-')) {
  console.error('Usage: npm run test:backend -- NAME [--required] [options of vitest]');
  process.exit(2);
}
if (name === 'webgpu') suites.push('tests/recorded/program.test.ts', 'tests/recorded/equality.slow.test.ts');
const options = rest.filter((argument) => argument !== '--required');
const run = (program, args, more = {}) => spawnSync(program, args, { encoding: 'utf8', ...more });

const doctor = run(process.execPath, ['tools/quickstart.mjs', '--pass', 'doctor', '--json']);
const found = doctor.status === 0 ? JSON.parse(doctor.stdout).backends.find((entry) => entry.name === name) : undefined;
if (found?.available !== true) {
  const why = found === undefined ? doctor.stderr.trim() || 'no such backend' : found.reason;
  console.error(`\nSKIPPED: the tests of backend '${name}' did not run: ${why}\n${found?.howToGetIt ?? ''}\n`);
  process.exit(rest.includes('--required') ? 1 : 0);
}
// Its own process for each file: a process has one GPU, and one native TensorFlow.
const env = { ...process.env, LOCALGRAD_TESTS: 'all', LOCALGRAD_TEST_BACKEND: name };
process.exit(run('npx', ['vitest', 'run', '--isolate', ...suites, ...options], { env, stdio: 'inherit' }).status ?? 1);
