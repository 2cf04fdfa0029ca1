// Writes the tables of README.md: published numbers (targets.csv) beside ours (results/reproduced.csv, if there is one), with
// the command that runs each (commands.csv, if there is one).
//   node make-readme.mjs [--check] [folder]
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, folder as given, parseCsv, writeBetween } from './pages.mjs';

/** A t interval of two runs is so wide that it would hold almost anything. */
const fewestRuns = 3;
const begin = '<!-- targets: begin (make-readme.mjs) -->';
const end = '<!-- targets: end -->';
const targetColumns = [
  'id',
  'dataset',
  'backbone',
  'modules',
  'method',
  'metric',
  'value',
  'deviation',
  'unit',
  'epochs',
  'source',
  'evidence',
];
const reproducedColumns = ['id', 'value', 'interval', 'n', 'command'];

const commandColumns = ['id', 'command', 'missing'];

const folder = given ?? import.meta.dirname;
const problems = [];

const targets = readTable('targets.csv', targetColumns);
const measured = readTable('results/reproduced.csv', reproducedColumns, false);
const reproduced = new Map(measured.map((row) => [row.id, row]));
const commands = readTable('commands.csv', commandColumns, false);
const howToRun = new Map(commands.map((row) => [row.id, row]));
checkTargets();
checkReproduced();
checkCommands();
if (problems.length > 0) fail(...problems);

writeBetween(join(folder, 'README.md'), [begin, end], tables());

function tables() {
  const groups = groupBy(targets, headingOf);
  const verdicts = targets.map((target) => verdictOf(target, reproduced.get(target.id)));
  const count = (sign) => verdicts.filter((verdict) => verdict.startsWith(sign)).length;
  const runnable = targets.filter(({ id }) => commandOf(id) !== '').length;
  const summary = `${targets.length} published numbers, ${runnable} with a command that runs them; ${reproduced.size} run here, of which ${count('✅')} reproduced (✅), ${count('❌')} not (❌), ${count('?')} open (?).`;
  return [summary, '', ...[...groups].flatMap(([heading, rows]) => groupOf(heading, rows))].join('\n').trimEnd();
}

function groupOf(heading, rows) {
  const distinct = (values) => [...new Set(values.filter((value) => value !== ''))];
  const numbered = distinct(rows.map(({ id }) => commandOf(id)));
  const epochs = distinct(rows.map((row) => row.epochs));
  const sources = distinct(rows.map(({ source, evidence }) => `${source} (${evidence})`));
  return [
    `### ${heading}`,
    '',
    `${epochs.length > 0 ? `${epochs.join(', ')} epochs. ` : ''}Source: ${sources.join('; ')}.`,
    '',
    '| target | published | ours | Reproduced | Run |',
    '|---|---|---|---|---|',
    ...rows.map(
      (row) => `| ${[nameOf(row), publishedOf(row), oursOf(row), reproducedOf(row), runOf(row)].join(' | ')} |`,
    ),
    '',
    ...(numbered.length > 0 ? [...numbered.map((command, index) => `${index + 1}. \`${command}\``), ''] : []),
  ];

  /** Number of the command in the list below the table, or what is missing. */
  function runOf({ id }) {
    const command = commandOf(id);
    return command === '' ? howToRun.get(id)?.missing || '–' : numbered.indexOf(command) + 1;
  }
}

/** The command of the measured value, or else of `commands.csv`. */
function commandOf(id) {
  return reproduced.get(id)?.command ?? howToRun.get(id)?.command ?? '';
}

function headingOf({ id, dataset, backbone }) {
  return `${id.split('-')[0]}: ${dataset}, ${backbone}`;
}

function nameOf({ method, modules, metric }) {
  return `${method}${Number(modules) > 1 ? `, K = ${modules}` : ''}: ${metric}`;
}

function publishedOf({ value, deviation, unit, evidence }) {
  const about = evidence.endsWith('approximate') ? '≈ ' : '';
  return `${about}${value}${deviation === '' ? '' : ` ± ${deviation}`} ${unit}`;
}

function oursOf({ id, unit }) {
  const ours = reproduced.get(id);
  if (ours === undefined) return 'not run';
  const interval = ours.interval === '' ? '' : ` (${ours.interval})`;
  return `${ours.value.replace('-', '−')}${interval} ${unit}, n = ${ours.n}`;
}

function reproducedOf(target) {
  return verdictOf(target, reproduced.get(target.id));
}

/** ✅, ❌ with the difference, ? where neither side says how much it scatters, – where nothing was run. */
function verdictOf({ value, deviation }, ours) {
  if (ours === undefined) return '–';
  const published = Number(value);
  // Rounded: 7.5 − 7.37 is a little less than 0.13 otherwise.
  const difference = Number((Number(ours.value) - published).toFixed(6));
  const bounds = boundsOf(ours.interval);
  const isInterval = bounds !== undefined && Number(ours.n) >= fewestRuns;
  if (isInterval && bounds[0] <= published && published <= bounds[1]) return '✅';
  if (deviation !== '' && Math.abs(difference) < Number(deviation)) return '✅';
  if (!isInterval && deviation === '') return '?';
  return `❌ ${difference < 0 ? '−' : '+'}${Math.abs(difference).toFixed(2)}`;
}

/** `7.1 to 7.6` */
function boundsOf(interval) {
  const [, low, high] = /^(-?[\d.]+) to (-?[\d.]+)$/.exec(interval) ?? [];
  return low === undefined ? undefined : [Number(low), Number(high)];
}

function checkTargets() {
  const seen = new Set();
  for (const { id, value, deviation, modules, epochs, ...row } of targets) {
    const report = (text) => problems.push(`targets.csv: ${id || '(no id)'}: ${text}`);
    if (!/^[a-z0-9-]+$/.test(id)) report('the id is not of lower-case letters, digits and -');
    if (seen.has(id)) report('the id is there twice');
    seen.add(id);
    if (!isNumber(value)) report(`value '${value}' is no number`);
    if (deviation !== '' && !isNumber(deviation)) report(`deviation '${deviation}' is no number`);
    for (const [name, count] of Object.entries({ modules, epochs })) {
      if (!/^([1-9]\d*)?$/.test(count)) report(`${name} '${count}' is no whole number`);
    }
    for (const [name, text] of Object.entries(row)) {
      if (text === '') report(`${name} is empty`);
      if (text.includes('|')) report(`${name} holds a '|', which would break the tables`);
    }
  }
}

function checkReproduced() {
  const known = new Set(targets.map(({ id }) => id));
  const seen = new Set();
  for (const { id, value, interval, n, command } of measured) {
    const report = (text) => problems.push(`results/reproduced.csv: ${id}: ${text}`);
    if (seen.has(id)) report('the id is there twice');
    seen.add(id);
    if (!known.has(id)) report('no target has this id');
    if (!isNumber(value)) report(`value '${value}' is no number`);
    if (!/^[1-9]\d*$/.test(n)) report(`n '${n}' is no number of runs`);
    const bounds = boundsOf(interval);
    if (interval !== '' && (bounds === undefined || !(bounds[0] <= bounds[1]))) {
      report(`interval '${interval}' is not empty and not like '7.1 to 7.6'`);
    }
    if (command === '') report('command is empty: a number needs the command that makes it');
  }
}

function checkCommands() {
  const known = new Set(targets.map(({ id }) => id));
  const seen = new Set();
  for (const { id, command, missing } of commands) {
    const report = (text) => problems.push(`commands.csv: ${id}: ${text}`);
    if (seen.has(id)) report('duplicate ID');
    seen.add(id);
    if (!known.has(id)) report('no target has this ID');
    if ((command === '') === (missing === '')) report("exactly one of 'command' and 'missing' is required");
    if (missing.includes('|')) report("'missing' contains a '|', which would break the tables");
  }
}

function isNumber(text) {
  return text !== '' && Number.isFinite(Number(text));
}

function readTable(name, columns, isRequired = true) {
  const file = join(folder, name);
  if (!isRequired && !existsSync(file)) return [];
  const [header = [], ...rows] = parseCsv(readFileSync(file, 'utf8'));
  if (header.join() !== columns.join()) fail(`${name}: columns are ${header.join()}; expected ${columns.join()}`);
  for (const [index, row] of rows.entries()) {
    if (row.length !== columns.length) {
      problems.push(`${name}: record ${index + 2} has ${row.length} fields instead of ${columns.length}`);
    }
  }
  return rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ''])));
}

function groupBy(values, keyOf) {
  const groups = new Map();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
