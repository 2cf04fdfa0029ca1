// Runs all tests, including slow ones; further arguments are passed to vitest. npm run test:all -- packages/engine
import { spawnSync } from 'node:child_process';

const env = { ...process.env, LOCALGRAD_TESTS: 'all' };
process.exit(spawnSync('npx', ['vitest', 'run', ...process.argv.slice(2)], { env, stdio: 'inherit' }).status ?? 1);
