// Writes the table of docs/orderings.md: orderings of methods in the papers (orderings.csv, with numbers from targets.csv) beside
// those of the sweep `orderings-cifar10-resnet32`, if its report is in results.
//   node benchmarks/orderings.mjs [--check] [root of the repository]
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, markers, root, table, writeBetween } from './pages.mjs';

const benchmarks = join(root, 'benchmarks');
const runsFile = join(benchmarks, 'results', 'orderings-cifar10-resnet32', 'runs.csv');
/** 97.5 % quantiles of Student's t distribution by degrees of freedom. */
const quantiles = [undefined, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

const targets = new Map(table(join(benchmarks, 'targets.csv')).map((row) => [row.id, row]));
const runs = existsSync(runsFile) ? table(runsFile).filter(({ status }) => status === 'finished') : [];
const rows = table(join(benchmarks, 'orderings.csv')).map((row) => {
  const { better, worse, claim } = row;
  return `| ${[better, worse, publishedOf(row), claim, ...ours(better, worse)].join(' | ')} |`;
});
const text = [
  '| better | worse | published difference, points | paper | ours, points (95 % CI) | holds here |',
  '|---|---|---|---|---|---|',
  ...rows,
].join('\n');

writeBetween(join(root, 'docs', 'orderings.md'), markers('orderings'), text);

/** Difference of two published numbers, positive if the better one is better. */
function publishedOf({ better_target: better, worse_target: worse }) {
  if (better === '') return 'claimed without a number';
  const [high, low] = [targets.get(better), targets.get(worse)];
  if (high === undefined || low === undefined) fail(`orderings.csv: no target ${better} or ${worse}`);
  if (high.metric !== low.metric) fail(`orderings.csv: ${better} and ${worse} have different metrics`);
  const difference = Number(high.value) - Number(low.value);
  return signed(high.metric.endsWith('error') ? -difference : difference);
}

/** Difference of the test accuracies after the last epoch, paired by seed, and whether it agrees. */
function ours(better, worse) {
  if (runs.length === 0) return ['not run', '–'];
  const [high, low] = [accuraciesOf(better), accuraciesOf(worse)];
  const differences = [...high].filter(([seed]) => low.has(seed)).map(([seed, value]) => 100 * (value - low.get(seed)));
  const count = differences.length;
  const quantile = quantiles[count - 1];
  if (quantile === undefined)
    fail(`${runsFile}: ${better} and ${worse} have ${count} common seeds; 2 to 10 are required`);
  const mean = differences.reduce((sum, value) => sum + value, 0) / count;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const margin = quantile * Math.sqrt(variance / count);
  const verdict = mean - margin > 0 ? 'yes' : mean + margin < 0 ? 'no: reversed' : 'open';
  return [`${signed(mean)} (${signed(mean - margin)} to ${signed(mean + margin)})`, verdict];
}

/** By seed, at the chosen learning rate. */
function accuraciesOf(name) {
  const found = runs.filter((run) => run.name === name);
  if (found.length === 0) fail(`${runsFile}: no finished run of '${name}'`);
  return new Map(found.map(({ seed, test_accuracy: accuracy }) => [seed, Number(accuracy)]));
}

function signed(value) {
  const rounded = Math.abs(value).toFixed(2);
  return `${value < 0 && Number(rounded) > 0 ? '−' : '+'}${rounded}`;
}
