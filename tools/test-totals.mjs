// Sums what .ci/run left in a folder, prints what failed, and ends with `N passed, N failed` alone on a line.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2] ?? 'test-results';
let passed = 0;
const failures = [];

const steps = readFileSync(join(folder, 'steps.txt'), 'utf8').split('\n').filter(Boolean);
for (const line of steps) {
  if (line.startsWith('passed ')) passed++;
  else failures.push(`step ${line.replace('failed ', '')}`);
}

const suite = join(folder, 'vitest.json');
if (existsSync(suite)) {
  const report = JSON.parse(readFileSync(suite, 'utf8'));
  let testFailures = 0;
  for (const file of report.testResults) {
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') passed++;
      if (status !== 'failed') continue;
      failures.push(`test ${fullName} (${file.name})`);
      testFailures++;
    }
    // A file that cannot even be loaded has no tests to count.
    const isBroken = file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed');
    if (!isBroken) continue;
    failures.push(`file ${file.name}`);
    testFailures++;
  }
  if (report.numTotalTests === 0 && testFailures === 0) failures.push('suite without a test');
  // Unhandled errors and leaks outside of tests fail vitest without failing a test.
  const status = readFileSync(join(folder, 'vitest-status.txt'), 'utf8').trim();
  if (status !== '0' && testFailures === 0) failures.push(`suite (exit status ${status})`);
} else {
  failures.push('suite without a report');
}

console.log();
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
