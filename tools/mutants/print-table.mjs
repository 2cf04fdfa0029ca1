/**
 * Prints one row per file, and the score of each target.
 *
 * @param isSample whether the mutants are a sample, of which each target has only a few
 * @returns whether every target reaches the least score, or a sample as a whole
 */
export function printTable(rows, leastScore, isSample) {
  const lines = [['file', 'mutants', 'equivalent', 'killed', 'timeout', 'survived', 'score']];
  let isEnough = true;
  for (const target of new Set(rows.map((row) => row.target))) {
    const own = rows.filter((row) => row.target === target);
    for (const row of own) lines.push(line(row.file, row));
    const total = {
      mutants: sum(own.map(({ mutants }) => mutants)),
      equivalent: sum(own.map(({ equivalent }) => equivalent)),
      states: own.flatMap(({ states }) => states),
    };
    lines.push(line(target, total));
    isEnough &&= isSample || scoreOf(total) >= leastScore;
  }
  if (isSample) isEnough = scoreOf({ states: rows.flatMap(({ states }) => states) }) >= leastScore;
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  for (const [name, ...cells] of lines) {
    console.log([name.padEnd(widths[0]), ...cells.map((cell, at) => cell.padStart(widths[at + 1]))].join('  '));
  }
  console.log(isEnough ? 'Every target is tested well enough.' : `A score is below ${100 * leastScore} %.`);
  return isEnough;
}

function line(name, { mutants, equivalent, states }) {
  const count = (...wanted) => states.filter((state) => wanted.includes(state)).length;
  const counts = [mutants, equivalent, count('killed'), count('timeout', 'crash'), count('survived')];
  return [name, ...counts.map(String), `${(100 * scoreOf({ states })).toFixed(1)} %`];
}

function scoreOf({ states }) {
  return states.length === 0 ? 1 : states.filter((state) => state !== 'survived').length / states.length;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
