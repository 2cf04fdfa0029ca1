import { expect, it } from 'vitest';
import { averageEffects } from './comparison/average-effects.js';
import { barChart, chartFrame, compareConditions, comparePairs, seriesChart, writeReport } from './index.js';

const wrong = { mistaken: 1 } as never;
const study = {} as never;

it.each<[string, () => unknown, string]>([
  ['barChart', () => barChart(wrong), 'title, subtitle, bars, hasNames'],
  ['seriesChart', () => seriesChart(wrong), 'title, subtitle, x, xValues'],
  ['chartFrame', () => chartFrame(wrong), 'title, subtitle, parts, columns'],
  ['compareConditions', () => compareConditions(study, 'testAccuracy', wrong), 'confidence, metric'],
  ['comparePairs', () => comparePairs([], 'testAccuracy', wrong), 'confidence, metric'],
  ['averageEffects', () => averageEffects(study, 'testAccuracy', wrong), 'confidence, metric'],
  ['writeReport', () => writeReport(study, 'report', wrong), 'planFigures'],
])('%s names an unknown option and the allowed ones', async (where, call, allowed) => {
  await expect(async () => call()).rejects.toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}`);
});
