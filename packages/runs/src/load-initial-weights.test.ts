import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backboneFactory, weightsFile } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import type { Parameter } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from './build-plan.js';
import { runConfigSchema } from './config/run-config.js';

let backend: BackendHandle;
let folder: string;
beforeAll(async () => {
  backend = await selectBackend('cpu');
  folder = mkdtempSync(join(tmpdir(), 'localgrad-weights-'));
  const scope = createScope(777);
  const trained = backboneFactory('resnet8', { width: 2 }).build({ inputShape: [8, 8, 1], classes: 10, scope });
  writeFileSync(join(folder, 'trained.safetensors'), await weightsFile(trained));
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function parametersOf(
  method: string,
  initialWeights?: string,
  { classes = 10, ...keys }: { readonly classes?: number; readonly initialPart?: string } = {},
): Promise<ReadonlyMap<string, Parameter>> {
  const config = runConfigSchema.parse({ method, backbone: 'resnet8', width: 2, modules: 3, initialWeights, ...keys });
  const { compiled } = await buildPlan(config, { imageShape: [8, 8, 1], classes });
  return compiled.parameters;
}

const valuesOf = (parameter: Parameter | undefined) => [...(parameter?.value.dataSync() ?? [])];

describe('initial weights', () => {
  it.each([
    ['mlaan(dgl)', ['augmented', 'ema']],
    ['lam(dgl, chain: ema)', ['ema']],
    ['man(dgl, initialize: copy)', ['augmented', 'ema']],
  ])('are those that the chains of %s start as copies of', async (method, kinds) => {
    const parameters = await parametersOf(method, join(folder, 'trained.safetensors'));
    const fresh = await parametersOf(method);
    for (const kind of kinds) {
      const name = [...parameters.keys()].find((key) => key.includes(`.${kind}.0.`) && key.endsWith('conv1.weight'));
      const copy = valuesOf(parameters.get(name ?? ''));
      const isLive = (key: string) => !key.startsWith('heads.') && key.endsWith('conv1.weight');
      const live = [...parameters].filter(([key]) => isLive(key)).map(([, parameter]) => valuesOf(parameter));
      expect(live).toContainEqual(copy);
      expect(copy).not.toEqual(valuesOf(fresh.get(name ?? '')));
    }
  });

  it('of the blocks alone leave the classifier of other classes at random', async () => {
    const file = join(folder, 'trained.safetensors');
    await expect(parametersOf('dgl', file, { classes: 4 })).rejects.toThrow(/initialWeights: .*'fc\.weight' has shape/);
    const [whole, other, fresh] = [
      await parametersOf('dgl', file),
      await parametersOf('dgl', file, { classes: 4, initialPart: 'blocks' }),
      await parametersOf('dgl', undefined, { classes: 4 }),
    ];
    expect(valuesOf(other.get('layer3.0.conv2.weight'))).toEqual(valuesOf(whole.get('layer3.0.conv2.weight')));
    expect(valuesOf(other.get('fc.weight'))).toEqual(valuesOf(fresh.get('fc.weight')));
  });

  it('are required to say which part they are', async () => {
    await expect(parametersOf('dgl', undefined, { initialPart: 'blocks' })).rejects.toThrow(
      /initialPart: it says what initialWeights contains, which is not set/,
    );
  });
});
