import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Claims, mean, numbers, type Tested } from './claims.fixture.js';
import { randomStudies } from './random-study.fixture.js';
import { type ExpectedRow, expectedEstimate, family, holmOf, pairedTest } from './recomputed.fixture.js';

const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 15);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 2);

function checkHelp(claims: Claims): void {
  const { expected, study } = claims;
  const tests = [...expected.toBaseline.values()].filter(({ adjusted }) => adjusted !== null).length;
  const averages = averageTests(claims);
  for (const value of claims.values) {
    const rows = claims.rowsWith(value).filter(({ key }) => expected.toBaseline.has(key));
    const differences = rows.map(({ key }) => expected.toBaseline.get(key) as Tested);
    const name = value.replaceAll('+', '\\+');
    const sentence = claims.find(new RegExp(`^${name}(?! \\+)( |:).*all else equal`));
    if (study.compare === null || rows.length === 0) {
      expect(sentence).toBeUndefined();
      continue;
    }
    const { text, details } = sentence ?? expect.fail(`nothing on ${value}`);
    const { better, worse, open, untested, all } = claims.count(differences);
    for (const [index, row] of rows.entries()) {
      const detail = details.at(index - rows.length) ?? '';
      expect(detail).toContain(`host ${row.condition.labels.host}: `);
      claims.expectDifference(detail, differences[index] as Tested);
    }
    const average = averages.get(value);
    expect(details.length, text).toBe(rows.length + (average === undefined ? 0 : 1));
    if (average !== undefined) {
      claims.expectDifference(details[0]?.replace(/, paired by seed.*$/, '') ?? '', average);
      expect(numbers(/paired by seed \((.*)\)$/.exec(details[0] ?? '')?.[1] ?? '')).toEqual([
        average.seeds,
        ...(average.adjusted === null ? [] : [average.family]),
      ]);
    }
    if (untested === all) {
      expect(text).toContain(`${value} against none, all else equal: not tested`);
      continue;
    }
    expect(text).toContain(`Holm's correction for ${tests === 1 ? '1 test' : `${tests} tests`})`);
    const says = (word: string) => new RegExp(`${word}(?: in (?:(\\d+)|both|all \\d+))?`).exec(text);
    if (better + worse > 0) {
      for (const [word, number] of [
        ['helps', better],
        ['hurts', worse],
      ] as const) {
        const found = says(word);
        if (number === 0) expect(found, text).toBeNull();
        else expect(Number(found?.[1] ?? all), text).toBe(number);
      }
      expect(text.includes('no difference shown'), text).toBe(open > 0);
      expect(text.includes('not tested'), text).toBe(untested > 0);
    } else if (average !== undefined && claims.verdict(average) === 'better')
      expect(text).toContain(`${value} helps on average over ${all} settings`);
    else if (average !== undefined && claims.verdict(average) === 'worse')
      expect(text).toContain(`${value} hurts on average over ${all} settings`);
    else expect(text).toContain(`${value}: no difference shown`);
  }
}

/** The paired test of the mean over settings, for values with several. */
function averageTests({ expected, values, study }: Claims) {
  const own = (value: string) => expected.rows.filter(({ condition }) => condition.labels.add === value);
  const baselineOf = ({ condition }: ExpectedRow) =>
    own('none').find((other) => other.condition.labels.host === condition.labels.host);
  const tests = values.flatMap((value) => {
    if (value === 'none' || study.compare === null) return [];
    const pairs = own(value).flatMap((row) => {
      const other = baselineOf(row);
      return other === undefined ? [] : [[row, other] as const];
    });
    const [first] = pairs;
    if (first === undefined) return [];
    const seeds =
      study.conditions[0]?.seeds.filter((one) => pairs.every((pair) => pair.every(({ last }) => last.has(one)))) ?? [];
    if (seeds.length === 0) return [];
    const differences = seeds.map((one) =>
      mean(pairs.map(([row, other]) => (row.last.get(one) as number) - (other.last.get(one) as number))),
    );
    return [{ value, settings: pairs.length, seeds: seeds.length, ...pairedTest(differences) }];
  });
  const adjusted = holmOf(tests.map(({ p }) => p));
  const all = tests.map((test, index) => ({ ...test, adjusted: adjusted[index] ?? null }));
  const number = all.filter(({ p }) => p !== null).length;
  return new Map(all.filter(({ settings }) => settings > 1).map((test) => [test.value, { ...test, family: number }]));
}

function checkCounts(claims: Claims): void {
  const { conditions } = claims.study;
  const ended = conditions.reduce((sum, { stopped = [] }) => sum + stopped.length, 0);
  const finished = conditions.reduce((sum, { runs }) => sum + runs.length, 0);
  const chosen = new Set(claims.expected.rows.map(({ key }) => key));
  const missing = conditions.flatMap(({ key, seeds, tuneSeeds = seeds, runs, stopped = [] }) =>
    (chosen.has(key) ? seeds : tuneSeeds).filter((one) => ![...runs, ...stopped].some((run) => run.seed === one)),
  );
  const wanted = finished + missing.length;
  const { text = '' } = claims.find(/^(The study is incomplete|No run has finished)/) ?? {};
  if (finished === 0) expect(text).toMatch(new RegExp(`${wanted + ended} runs? planned`));
  else if (finished === wanted) expect(text).toBe('');
  else expect(text).toMatch(new RegExp(`${finished} of ${wanted + ended} runs? have finished`));
  const diverged = claims.expected.rows.reduce(
    (sum, { condition, runs }) => sum + condition.runs.length - runs.length,
    0,
  );
  const stopped = claims.expected.rows.reduce((sum, { condition }) => sum + (condition.stopped?.length ?? 0), 0);
  if (finished > 0) expect(numbers(claims.find(/ diverged: /)?.text ?? '0')[0]).toBe(diverged);
  expect(numbers(claims.find(/ stopped early by the rule/)?.text ?? '0')[0]).toBe(stopped);
}

function checkCombinations(claims: Claims): void {
  const { expected, study, values } = claims;
  const pairs = claims.rowsWith('MLM + LAM').flatMap((row) =>
    ['MLM', 'LAM'].every((part) => values.includes(part)) && study.compare !== null
      ? ['MLM', 'LAM'].flatMap((part) => {
          const other = claims
            .rowsWith(part)
            .find(({ condition }) => condition.labels.host === row.condition.labels.host);
          return other === undefined ? [] : [[row, other] as const];
        })
      : [],
  );
  const tested = family(pairs);
  const sentence = claims.find(/^MLM \+ LAM is /);
  const tests = tested.filter(({ adjusted }) => adjusted !== null).length;
  if (tests === 0) {
    expect(sentence).toBeUndefined();
    return;
  }
  const { text, details } = sentence ?? expect.fail('no sentence on combinations');
  expect(text).toContain(`Holm's correction for ${tests === 1 ? '1 test' : `${tests} tests`})`);
  for (const part of ['MLM', 'LAM']) {
    const own = tested.filter(({ other }) => other.condition.labels.add === part);
    if (own.length === 0) continue;
    const { better, worse, untested, all } = claims.count(own);
    const [, found = '', of = '', rest = ''] =
      new RegExp(`better than ${part} alone in (\\d+) of (\\d+) settings?(.*?)(?: and better|$| \\(p)`).exec(text) ??
      [];
    expect([Number(found), Number(of)], text).toEqual([better, all]);
    expect(Number(/worse in (\d+)/.exec(rest)?.[1] ?? 0), text).toBe(worse);
    expect(Number(/not tested in (\d+)/.exec(rest)?.[1] ?? 0), text).toBe(untested);
  }
  expect(details.length).toBe(tested.length);
  for (const [index, one] of tested.entries()) claims.expectDifference(details[index] ?? '', one);
  expect(expected.rows.length).toBeGreaterThan(0);
}

function checkReach(claims: Claims): void {
  const { expected, sign, scale, study } = claims;
  const { reference, rows } = expected;
  const estimate = reference === undefined ? null : expectedEstimate([...reference.last.values()]);
  const sentence = claims.find(/^End to end reaches /);
  if (reference === undefined || estimate === null) {
    expect(sentence).toBeUndefined();
    return;
  }
  const { text, details } = sentence ?? expect.fail('no sentence on the reference');
  claims.expectValue(String(numbers(text)[0]), estimate.mean, text);
  if (estimate.half === null) {
    expect(text).toContain('with one run');
    return;
  }
  const low = estimate.mean - sign * estimate.half;
  const local = rows.filter((row) => row !== reference && row.runs.length > 0 && row.last.size > 0);
  const same = local.filter(({ condition }) => condition.config.epochs === reference.condition.config.epochs);
  const isThere = (row: ExpectedRow) => sign * (mean(row.last.values()) - low) >= -1e-12;
  const isClose = (row: ExpectedRow) => Math.abs(mean(row.last.values()) - low) < 1e-9;
  if (same.some(isClose)) return;
  const counts = /(\d+) of (\d+) local conditions? with the same/.exec(text);
  expect([Number(counts?.[1]), Number(counts?.[2])], text).toEqual([same.filter(isThere).length, same.length]);
  expect(text).toContain(`inside or ${sign === 1 ? 'above' : 'below'} this interval`);
  expect(
    numbers(text).some((number) => Math.abs(number - scale * estimate.mean) < 0.01 * Math.max(1, Math.abs(number))),
  ).toBe(true);
  if (study.compare === null) return;
  for (const value of claims.values) {
    const own = same.filter(({ condition }) => condition.labels.add === value);
    const detail = details.find((one) => one.startsWith(`${value}: `));
    if (own.length === 0) expect(detail).toBeUndefined();
    else
      expect(numbers(/: (\d+ of \d+) setting/.exec(detail ?? '')?.[1] ?? '')).toEqual([
        own.filter(isThere).length,
        own.length,
      ]);
  }
}

function checkCosts(claims: Claims): void {
  const { reference, rows } = claims.expected;
  const { details = [] } = claims.find(/^End to end needs /) ?? {};
  for (const detail of details) {
    const [, name = '', memory = '', time = '', compute = ''] =
      /^(.*?): (.*) the memory, (.*) the time and (.*) the compute of end to end/.exec(detail) ?? [];
    const own = rows.filter(
      (row) =>
        row !== reference &&
        row.runs.length > 0 &&
        (claims.study.compare === null ? row.name === name : row.condition.labels.add === name),
    );
    for (const [shown, amountOf] of [
      [memory, (row: ExpectedRow) => row.peakBytes],
      [time, (row: ExpectedRow) => row.seconds],
      [compute, (row: ExpectedRow) => row.work],
    ] as const) {
      const ratios = own.map(
        (row) => (amountOf(row) ?? Number.NaN) / ((reference === undefined ? null : amountOf(reference)) ?? Number.NaN),
      );
      const [least = Number.NaN, most = least] = numbers(shown);
      expect(Math.abs(least - Math.min(...ratios)), detail).toBeLessThan(0.00501);
      expect(Math.abs(most - Math.max(...ratios)), detail).toBeLessThan(0.00501);
    }
  }
}

function checkEqualCompute(claims: Claims): void {
  const { rows } = claims.expected;
  const { sign } = claims;
  const sentence = claims.find(/^At equal compute/);
  const known = rows.filter(({ last }) => last.size > 0);
  let isTied = false;
  const pairs = known.flatMap((row): (readonly [ExpectedRow, ExpectedRow])[] => {
    const { add = 'none' } = row.condition.labels;
    if (add === 'none' || claims.study.compare === null) return [];
    const affordable = known.filter((other) => other !== row && (other.work ?? Infinity) <= 1.05 * (row.work ?? 0));
    const best = Math.max(...affordable.map(({ last }) => sign * mean(last.values())));
    const [found, another] = affordable.filter(({ last }) => sign * mean(last.values()) >= best - 1e-12);
    isTied ||= another !== undefined;
    return found === undefined ? [] : [[row, found]];
  });
  // Which of them is the best depends on rounding.
  if (isTied) return;
  const tested = family(pairs);
  expect(sentence?.details.length ?? 0).toBe(new Set(tested.map(({ row }) => row.condition.labels.add)).size);
  for (const detail of sentence?.details ?? []) {
    const own = tested.filter(({ row }) => detail.startsWith(`${row.condition.labels.add}: `));
    const { better, worse, open, untested, all } = claims.count(own);
    const counts = numbers(/condition in (.*?); best case/.exec(detail)?.[1] ?? '');
    expect(counts, detail).toEqual([better, all, worse, open, ...(untested === 0 ? [] : [untested])]);
    const most = Math.max(...own.map((pair) => sign * pair.mean));
    const candidates = own.filter((pair) => sign * pair.mean >= most - 1e-12);
    claims.expectDifference(
      detail,
      candidates.find(({ row }) => detail.includes(`best case, host ${row.condition.labels.host}:`)) ??
        expect.fail(detail),
    );
  }
}

function checkFronts(claims: Claims): void {
  const { sign } = claims;
  const rows = claims.expected.rows.filter(({ last }) => last.size > 0);
  const sentence = claims.find(/^Pareto fronts/);
  for (const [detail, amountOf] of [
    [sentence?.details[0], (row: ExpectedRow) => row.peakBytes ?? 0],
    [sentence?.details[1], (row: ExpectedRow) => row.seconds ?? 0],
    [sentence?.details[2], (row: ExpectedRow) => row.work ?? 0],
  ] as const) {
    if (detail === undefined) continue;
    const value = (row: ExpectedRow) => sign * mean(row.last.values());
    const pairs = rows.flatMap((row) =>
      rows
        .filter((other) => other !== row && amountOf(other) <= amountOf(row) * (1 + 1e-12))
        .map((other) => [row, other] as const),
    );
    const tested = family(pairs);
    const [shown = '', open = ''] = detail.split('. May belong to it: ');
    for (const row of rows) {
      const others = tested.filter((pair) => pair.row === row);
      const isDominated = others.some(
        ({ other }) =>
          value(other) > value(row) + 1e-12 ||
          (value(other) >= value(row) - 1e-12 && amountOf(other) < amountOf(row) * (1 - 1e-12)),
      );
      const isBeaten = others.some((pair) => claims.verdict(pair) === 'worse');
      const isCertain = others.every((pair) => claims.verdict(pair) === 'better');
      const isNamed = shown.includes(`${row.name} (`);
      expect(isNamed, `${row.name}: ${detail}`).toBe(!isDominated);
      const isTested = tested.some(({ adjusted }) => adjusted !== null);
      if (isNamed)
        expect(new RegExp(`${row.name.replaceAll('+', '\\+')} \\([^()]*\\) ✓`).test(shown), detail).toBe(
          isTested && isCertain,
        );
      else if (isTested) expect(open.split('; ').includes(row.name), detail).toBe(!isBeaten);
    }
  }
}

const checks = [checkCounts, checkHelp, checkCombinations, checkReach, checkCosts, checkEqualCompute, checkFronts];

it(`states what the numbers of ${numRuns} random studies show`, () => {
  fc.assert(
    fc.property(randomStudies, (study) => {
      const claims = new Claims(study);
      for (const check of checks) check(claims);
    }),
    { numRuns, seed },
  );
}, 0);
