/// <reference path="./jstat.d.ts" />
import jstat from 'jstat';

/** P(Z ≤ z) of the standard normal distribution. */
export function normalProbability(z: number): number {
  return jstat.jStat.normal.cdf(z, 0, 1);
}

/** The z with P(Z ≤ z) = `probability`, which is in (0, 1). */
export function normalQuantile(probability: number): number {
  return jstat.jStat.normal.inv(probability, 0, 1);
}
