import {
  bestCandidate,
  type Condition,
  commonMetric,
  conditionsBySetting,
  isChoosingSeed,
  lastValues,
  type Study,
  selectionOf,
} from '@localgrad/experiments';
import { accuracyMetric } from '@localgrad/train';
import { isDiverged } from './comparison/diverged.js';
import { type Estimate, estimateOf } from './estimates.js';

/** A setting of a study with the values that it could choose from. */
export interface Choice {
  /** Name without those values. */
  readonly setting: string;
  /** In the order of the study. */
  readonly candidates: readonly {
    /** Key of the condition. */
    readonly key: string;
    /** `{ learningRate: '0.1' }` */
    readonly values: Readonly<Record<string, string>>;
    /** False for all of them before any has a result. */
    readonly isChosen: boolean;
    /** Runs that could have made the choice, but diverged or were stopped early: the means omit them. */
    readonly omitted: number;
    /** Test accuracy after the last epoch over the runs that make the choice, without diverged ones; null without others. */
    readonly testAccuracy: Estimate | null;
    /** Validation accuracy of the same runs, if it makes the choice. */
    readonly validationAccuracy?: Estimate | null;
    /** The metric that makes the choice, unless it is accuracy, over the same runs and on the images of the selection. */
    readonly metric?: { readonly name: string; readonly value: Estimate | null };
  }[];
}

/**
 * A study in which every setting has one condition: the one with the best mean after the last epoch, of accuracy or the metric
 * that its runs name, on the images of the study's selection and over the seeds that make choices, among the values that it may
 * choose from (`tune`). Factors that are chosen are no factors of the result, so that conditions with different choices are
 * compared.
 */
export function withChoices(study: Study): { readonly study: Study; readonly choices: readonly Choice[] } {
  const { tune = [] } = study;
  if (tune.length === 0) return { study, choices: [] };
  // Of several sweeps, some may list values of these keys as a factor, which are no choices.
  const valuesOf = ({ setting, labels }: Condition) =>
    Object.fromEntries(
      tune.flatMap((name) => (setting === undefined || labels[name] === undefined ? [] : [[name, labels[name]]])),
    );
  const selection = selectionOf(study.conditions);
  const chosen = new Map<string, Condition>();
  const choices = [...conditionsBySetting(study.conditions)].map(([setting, conditions]): Choice => {
    const judged = conditions.map((condition) => condition.runs.filter(({ seed }) => isChoosingSeed(condition, seed)));
    const index = bestCandidate(judged, selection);
    const metric = commonMetric(judged.flat());
    const hasResult = judged.some((runs) => lastValues(runs, selection, metric).length > 0);
    const candidates = conditions.map((condition, place) => {
      // Before there is a result, the first one stands for the setting.
      if (place === index) chosen.set(setting, withoutLabels(condition, setting, tune));
      const diverged = (judged[place] ?? []).filter(isDiverged);
      const stopped = (condition.stopped ?? []).filter(({ seed }) => isChoosingSeed(condition, seed));
      return {
        key: condition.key,
        values: valuesOf(condition),
        isChosen: hasResult && place === index,
        omitted: diverged.length + stopped.length,
        testAccuracy: estimateOf(lastValues(judged[place] ?? [], 'test', accuracyMetric)),
        ...(selection === 'test'
          ? {}
          : { validationAccuracy: estimateOf(lastValues(judged[place] ?? [], selection, accuracyMetric)) }),
        ...(metric.name === accuracyMetric.name
          ? {}
          : { metric: { name: metric.name, value: estimateOf(lastValues(judged[place] ?? [], selection, metric)) } }),
      };
    });
    return { setting, candidates };
  });
  const conditions = [...chosen.values()];
  const reference = choices.find(({ candidates }) => candidates.some(({ key }) => key === study.reference));
  return {
    study: {
      ...study,
      factors: study.factors.filter(
        (factor) => !tune.includes(factor) || conditions.some(({ labels }) => labels[factor] !== undefined),
      ),
      conditions,
      reference: reference === undefined ? null : (chosen.get(reference.setting)?.key ?? null),
    },
    choices,
  };
}

function withoutLabels(condition: Condition, setting: string, tune: readonly string[]): Condition {
  if (condition.setting === undefined) return condition;
  const labels = Object.entries(condition.labels).filter(([factor]) => !tune.includes(factor));
  return { ...condition, name: setting, labels: Object.fromEntries(labels) };
}
