import type { ObjectiveDescription } from '@localgrad/engine';

/** `0.001`, or `0.1 → 0.001` if it changes during training. */
export function weightText({ weight, weightAtEnd }: ObjectiveDescription): string {
  const shown = (value: number) => String(Number(value.toPrecision(4)));
  return weightAtEnd === undefined ? shown(weight) : `${shown(weight)} → ${shown(weightAtEnd)}`;
}
