// Sums the test reports of .ci/run in a folder, prints the failures with their reasons, and ends with the line
// `N passed, N failed`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2] ?? 'test-results';
let passed = 0;
const failures = [];
const quotedLines = 40;

const steps = readFileSync(join(folder, 'steps.txt'), 'utf8').split('\n').filter(Boolean);
for (const line of steps) {
  if (line.startsWith('passed ')) passed++;
  else failures.push(`step ${line.replace('failed ', '')}`);
}

const suites = readdirSync(folder).filter((name) => name.startsWith('vitest-') && name.endsWith('.status'));
for (const status of suites) {
  const name = status.slice('vitest-'.length, -'.status'.length);
  count(name, join(folder, `vitest-${name}.json`), readFileSync(join(folder, status), 'utf8').trim());
}
if (suites.length === 0) failures.push('no test suite ran');

/** Adds up one suite's report, test by test. */
function count(name, file, status) {
  if (!existsSync(file)) {
    failures.push(`suite '${name}' without a report`);
    return;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  let testFailures = 0;
  const unfinishedFiles = [];
  for (const { name: path, status: fileStatus, message, assertionResults } of report.testResults) {
    for (const { status: outcome, fullName, failureMessages = [] } of assertionResults) {
      if (outcome === 'passed') passed++;
      if (outcome !== 'failed') continue;
      failures.push(`${name}: test ${fullName} (${path})${quote(failureMessages)}`);
      testFailures++;
    }
    // The process of these tests ended, which vitest reports without saying where.
    const unfinished = assertionResults.filter((one) => one.status === 'pending');
    if (unfinished.length > 0)
      unfinishedFiles.push(`${path}: ${unfinished.length} tests, the first is ${unfinished[0].fullName}`);
    // A file that cannot be loaded has no tests to count.
    const isBroken = fileStatus === 'failed' && !assertionResults.some((one) => one.status === 'failed');
    if (!isBroken) continue;
    failures.push(`${name}: file ${path}${quote([message])}`);
    testFailures++;
  }
  if (report.numTotalTests === 0 && testFailures === 0) failures.push(`suite '${name}' without a test`);
  // Unhandled errors and leaks outside tests fail vitest without failing a test.
  if (status !== '0' && testFailures === 0) {
    const log = file.replace(/\.json$/, '.log');
    const messages = [...unfinishedFiles.map((one) => `not finished: ${one}`), ...errorsOutsideTests(log)];
    failures.push(`suite '${name}' (exit status ${status})${quote(messages)}`);
  }
}

/** What vitest printed of errors outside tests, or else the end of its output. */
function errorsOutsideTests(log) {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n');
  const first = lines.findIndex((line) => line.includes('Unhandled'));
  return first < 0 ? lines.slice(-quotedLines) : lines.slice(first);
}

/** The first lines of what a failure says, indented under its name. */
function quote(messages) {
  const text = messages.filter(Boolean).join('\n');
  if (text === '') return '';
  const lines = text.split('\n').slice(0, quotedLines);
  return lines.map((line) => `\n    ${line.slice(0, 400)}`).join('');
}

console.log();
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
