import type { Condition, Study } from '@localgrad/experiments';
import type { EvaluationSet } from '@localgrad/train';
import { isDiverged } from './comparison/diverged.js';
import { type Estimate, estimateOf, known } from './estimates.js';
import { choiceAccuracyOf, selectionOf } from './selection.js';

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
    readonly isChosen: boolean;
    /** Test accuracy after the last epoch, without diverged runs; null without runs. */
    readonly testAccuracy: Estimate | null;
    /** Validation accuracy after the last epoch, if it made the choice. */
    readonly validationAccuracy?: Estimate | null;
  }[];
}

/**
 * A study in which every setting has one condition: the one with the highest mean accuracy after the last epoch, on the images
 * of the study's selection, among the values that it may choose from (`tune`). Factors that are chosen are no factors of the result, so that conditions with
 * different choices are compared.
 */
export function withChoices(study: Study): { readonly study: Study; readonly choices: readonly Choice[] } {
  const { tune = [] } = study;
  if (tune.length === 0) return { study, choices: [] };
  const bySetting = new Map<string, Condition[]>();
  for (const condition of study.conditions) {
    const setting = condition.setting ?? condition.name;
    bySetting.set(setting, [...(bySetting.get(setting) ?? []), condition]);
  }
  const valuesOf = ({ labels }: Condition) =>
    Object.fromEntries(tune.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])));
  const selection = selectionOf(study);
  const chosen = new Map<string, Condition>();
  const choices = [...bySetting].map(([setting, conditions]): Choice => {
    const accuracies = conditions.map((condition) => meanOf(condition, selection));
    const best = Math.max(...known(accuracies).map(({ mean }) => mean));
    const index = Math.max(
      0,
      accuracies.findIndex((accuracy) => accuracy?.mean === best),
    );
    const candidates = conditions.map((condition, place) => {
      const isChosen = place === index;
      if (isChosen) chosen.set(setting, withoutLabels(condition, setting, tune));
      return {
        key: condition.key,
        values: valuesOf(condition),
        isChosen,
        testAccuracy: meanOf(condition, 'test'),
        ...(selection === 'test' ? {} : { validationAccuracy: accuracies[place] ?? null }),
      };
    });
    return { setting, candidates };
  });
  const reference = choices.find(({ candidates }) => candidates.some(({ key }) => key === study.reference));
  return {
    study: {
      ...study,
      factors: study.factors.filter((factor) => !tune.includes(factor)),
      conditions: [...chosen.values()],
      reference: reference?.candidates.find(({ isChosen }) => isChosen)?.key ?? null,
    },
    choices,
  };
}

/** Mean accuracy after the last epoch, without diverged runs; null without others. */
function meanOf({ runs }: Condition, selection: EvaluationSet): Estimate | null {
  const sound = runs.filter((run) => !isDiverged(run));
  return estimateOf(known(sound.map(({ summary }) => choiceAccuracyOf(summary, selection))));
}

function withoutLabels(condition: Condition, setting: string, tune: readonly string[]): Condition {
  const labels = Object.entries(condition.labels).filter(([factor]) => !tune.includes(factor));
  return { ...condition, name: setting, labels: Object.fromEntries(labels) };
}
