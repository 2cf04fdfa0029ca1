import { expect, it } from 'vitest';
import {
  buildPlan,
  executeRun,
  explain,
  exportWeights,
  openMachines,
  prepareRun,
  resolveConfig,
  serveRun,
} from './index.js';

const wrong = { mistaken: 1 } as never;
const config = resolveConfig({});
const none = {} as never;

it.each<[string, () => unknown, string]>([
  ['executeRun', () => executeRun(wrong), 'config, folder, resume, keep'],
  [
    'executeRun, keep',
    () => executeRun({ config, folder: 'run', resume: 'auto', keep: wrong }),
    'everyEpochs, everySteps, keepLast, keepBest.',
  ],
  ['prepareRun', () => prepareRun(config, none, wrong), 'catalog, project, machines, signal.'],
  ['buildPlan', () => buildPlan(config, none, wrong), 'catalog, project, zeros.'],
  ['explain', () => explain({ ...config, mistaken: 1 } as never), 'method, backbone, width'],
  ['explain', () => explain(config, wrong), 'catalog, project.'],
  ['exportWeights', () => exportWeights(wrong), 'source, format, output, imageSize, checkpoint.'],
  ['openMachines', () => openMachines(config, wrong), 'member, security, limits, names, signal, onProgress.'],
  ['serveRun', () => serveRun(config, wrong), 'member, security, limits, names, signal, onProgress.'],
])('%s names an unknown option and the allowed ones', async (where, call, allowed) => {
  await expect(async () => call()).rejects.toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}`);
});
