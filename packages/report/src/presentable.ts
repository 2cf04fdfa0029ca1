import type { Condition, Study } from '@localgrad/experiments';
import { maskCredentials } from '@localgrad/trackers';
import { printable, printableLine } from './text/printable.js';

/** A study whose texts can be shown anywhere: without control characters, and with masked credentials. */
export function presentable(study: Study): Study {
  const { name, title, description, factors, tune = [], conditions, compare, source, commands, problems = [] } = study;
  return {
    ...study,
    name: lineOf(name),
    title: lineOf(title),
    description: textOf(description),
    factors: factors.map(lineOf),
    tune: tune.map(lineOf),
    conditions: conditions.map(presentableCondition),
    compare: compare === null ? null : { factor: lineOf(compare.factor), baseline: lineOf(compare.baseline) },
    source: textOf(source),
    commands: commands.map(lineOf),
    problems: problems.map(lineOf),
  };
}

function presentableCondition(condition: Condition): Condition {
  const { name, setting, labels } = condition;
  return {
    ...condition,
    name: lineOf(name),
    ...(setting === undefined ? {} : { setting: lineOf(setting) }),
    labels: Object.fromEntries(Object.entries(labels).map(([factor, label]) => [lineOf(factor), lineOf(label)])),
  };
}

export function lineOf(text: string): string {
  return printableLine(maskCredentials(text));
}

function textOf(text: string): string {
  return printable(maskCredentials(text));
}
