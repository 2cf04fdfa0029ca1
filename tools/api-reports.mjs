// Compares the public API of the packages that methods depend on with the committed reports. --local updates the
// reports.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = ['core', 'nn', 'engine', 'train'];
const failed = packages.filter((name) => {
  const config = `packages/${name}/api-extractor.json`;
  const given = ['api-extractor', 'run', '--config', config, ...process.argv.slice(2)];
  return spawnSync('npx', given, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' }).status !== 0;
});
if (failed.length > 0) {
  console.error(
    `The public API differs from the report: ${failed.join(', ')}. If intended, run npm run api:update and commit the result.`,
  );
  process.exitCode = 1;
}
