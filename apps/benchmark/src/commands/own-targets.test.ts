import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../command-line.fixture.js';

const dataset = fileURLToPath(new URL('../../../../examples/third-party-dataset/index.js', import.meta.url));

const method = `
import { independentPlan } from '@localgrad/core';
import { meanSquaredErrorHead } from '@localgrad/nn/heads';
export const method = () => ({
  name: 'own', specVersion: 'v1', config: { method: 'own' },
  plan: (network) => independentPlan('own', network, meanSquaredErrorHead({ outputs: 2 })),
});`;

const backbone = `
import { cifarResNet } from '@localgrad/backbones';
import { meanSquaredErrorHead, withOutputHead } from '@localgrad/nn/heads';
export const backbone = () => withOutputHead(cifarResNet({ depth: 8, width: 2 }), meanSquaredErrorHead({ outputs: 2 }));`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-own-targets-'));
  writeFileSync(join(folder, 'method.mjs'), method);
  writeFileSync(join(folder, 'backbone.mjs'), backbone);
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const flags = () => [
  '--dataset',
  `"${dataset}"(train: 60, test: 20)`,
  '--batch',
  '20',
  '--epochs',
  '2',
  '--modules',
  '2',
  '--backend',
  'wasm',
  '--threads',
  '1',
  '--learning-rate',
  '0.01',
];

describe('a third-party data set with its own targets', { timeout: 120_000 }, () => {
  it('trains from the command line, and its weights can be exported', async () => {
    const trained = await runCaptured(
      'train',
      ...flags(),
      '--backbone',
      at('backbone.mjs'),
      '--method',
      at('method.mjs'),
      '--output',
      at('run'),
      '--accumulate',
      '2',
    );
    expect(trained.stderr).not.toContain('localgrad:');
    expect(trained.exitCode).toBe(0);
    expect(trained.stdout).toMatch(/^test loss +0\.\d+$/m);
    const summary = JSON.parse(readFileSync(join(at('run'), 'summary.json'), 'utf8'));
    expect(summary).toMatchObject({ status: 'finished', testAccuracy: null, config: { accumulate: 2 } });

    const exported = await runCaptured(
      'weights',
      'export',
      at('run'),
      '--format',
      'pytorch',
      '--output',
      at('w'),
      '--json',
    );
    expect(exported.stderr).toBe('');
    expect(JSON.parse(exported.stdout)).toMatchObject({ inputShape: [8, 8, 1], files: [at('w')] });
  });

  it('is rejected before training by a method that reads labels', async () => {
    const { exitCode, stderr } = await runCaptured('train', ...flags(), '--backbone', 'tiny', '--output', at('other'));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/reads the target 'labels', but batches contain images, values, masks\./);
  });
});
