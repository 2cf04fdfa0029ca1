import type { Study } from '@localgrad/experiments';
import { accuracyMetric } from '@localgrad/train';
import type { Choice } from './choices.js';
import type { StudyView } from './condition-rows.js';
import type { Estimate } from './estimates.js';
import type { Finding } from './finding.js';
import { omissionMark } from './results-table.js';
import { type MetricWords, wordsOf } from './text/metric-words.js';
import { capital, counted, listed, seedsOf } from './text/wording.js';

/** Sweeps that are reported together may have values of their own, or none to choose from. */
export function choices({ study, selection, choices: all, metric }: StudyView): Finding[] {
  const { tune = [] } = study;
  const open = all.filter(({ candidates }) => candidates.length > 1);
  if (open.length === 0) return [];
  const over = choosingSeeds(study);
  const names = new Set(
    open.flatMap(({ candidates }) => candidates.map((one) => one.metric?.name ?? accuracyMetric.name)),
  );
  const highest = metric.metric.lowerIsBetter ? 'lowest' : 'highest';
  const best =
    names.size === 1 && names.has(metric.metric.name)
      ? `${highest} mean ${selection} ${metric.name}`
      : `best mean on ${selection} images, by the metric that its runs name,`;
  const lists = new Set(open.map(({ candidates }) => JSON.stringify(candidates.map(({ values }) => values))));
  const who = open.length === all.length ? 'Each condition' : `Each of ${counted(open.length, 'condition')}`;
  const everyone = open.length === all.length ? 'all conditions' : 'all of them';
  const [conditions, verb] = lists.size === 1 ? [everyone, 'choose'] : ['conditions', 'do not choose'];
  const how =
    selection === 'test'
      ? `The choice is made on the test set, so these means are biased upward; ${conditions}`
      : `The choice is made on held-out training images, so the test set chooses nothing. ${capital(conditions)}`;
  const isMarked = open.some(({ candidates }) => candidates.some(({ omitted }) => omitted > 0));
  const marked = isMarked ? ` Means marked with ${omissionMark} omit runs that diverged or were stopped early.` : '';
  return [
    {
      text: `${who} may choose ${listed(tune)}: the report shows the value with the ${best} after the last epoch${over}. ${how} ${verb} from the same values.${marked}`,
      details: open.map(({ setting, candidates }) => {
        const words = candidates.map((candidate) => candidateText(candidate, candidates, metric));
        return `${setting}: ${words.join('; ')}`;
      }),
    },
  ];
}

type Candidate = Choice['candidates'][number];

function estimateFor({ testAccuracy, validationAccuracy = testAccuracy, metric }: Candidate): Estimate | null {
  return metric === undefined ? validationAccuracy : metric.value;
}

/** A value with its mean, and with its number of runs if that differs between the values. */
function candidateText(candidate: Candidate, all: readonly Candidate[], metric: MetricWords): string {
  const { values, omitted, isChosen } = candidate;
  const value = estimateFor(candidate);
  const name = candidate.metric?.name ?? accuracyMetric.name;
  const counts = new Set(all.map((one) => estimateFor(one)?.n ?? 0));
  return [
    ...Object.values(values)
      .slice(0, -1)
      .map((text) => `${text},`),
    ...Object.values(values).slice(-1),
    wordsOf({ ...metric.metric, name }).value(value?.mean ?? null),
    ...(omitted > 0 ? [omissionMark] : []),
    ...(counts.size > 1 && value !== null ? [`with ${counted(value.n, 'run')}`] : []),
    ...(isChosen ? ['(chosen)'] : []),
  ].join(' ');
}

/** Empty if all seeds make the choices. Of several sweeps, each setting may have seeds of its own. */
function choosingSeeds({ conditions }: Study): string {
  const isSome = conditions.some(({ seeds, tuneSeeds = seeds }) => seeds.some((seed) => !tuneSeeds.includes(seed)));
  if (!isSome) return '';
  const sets = conditions.flatMap(({ tuneSeeds }) => (tuneSeeds === undefined ? [] : [seedsOf(tuneSeeds)]));
  const [only = '', another] = new Set(sets);
  const which = another === undefined ? only : 'the seeds that have run with each of its values';
  return ` with ${which}; other seeds have run with that value only`;
}
