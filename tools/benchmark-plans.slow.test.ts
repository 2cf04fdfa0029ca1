import { readExperiment } from '@localgrad/experiments';
import { explain, resolveConfig } from '@localgrad/runs';
import { describe, expect, it } from 'vitest';
import type { RunConfig } from '../packages/runs/src/config/run-config.js';
import { benchmarks, knownCommands, parseCommand } from './benchmark-commands.fixture.js';

/** Images and classes of the papers' data sets. */
const images: Readonly<Record<string, Pick<Parameters<typeof explain>[0], 'image' | 'classes'>>> = {
  cifar10: { image: [32, 32, 3], classes: 10 },
  cifar100: { image: [32, 32, 3], classes: 100 },
  svhn: { image: [32, 32, 3], classes: 10 },
  stl10: { image: [96, 96, 3], classes: 10 },
  mnist: { image: [28, 28, 1], classes: 10 },
  kmnist: { image: [28, 28, 1], classes: 10 },
  'fashion-mnist': { image: [28, 28, 1], classes: 10 },
  './imagenet': { image: [224, 224, 3], classes: 1000 },
  './cityscapes': { image: [512, 1024, 3], classes: 19 },
};

/** All settings that a command trains or measures. */
async function settingsOf(command: string): Promise<readonly RunConfig[]> {
  const { words, options } = parseCommand(command);
  if (words[1] === 'sweep') {
    const { conditions } = await readExperiment(String(words[3]).replace('benchmarks', benchmarks));
    return conditions.map(({ config }) => resolveConfig(config));
  }
  const {
    methods,
    image: _image,
    classes: _classes,
    repeats: _repeats,
    warmupSteps: _steps,
    output: _output,
    ...config
  } = options;
  if (words[1] !== 'bench') return [resolveConfig(config)];
  return String(methods)
    .split(' / ')
    .map((method) => resolveConfig({ ...config, method }));
}

function imagesOf(command: string, { dataset }: RunConfig): Pick<Parameters<typeof explain>[0], 'image' | 'classes'> {
  const { words, options } = parseCommand(command);
  if (words[1] === 'bench') {
    const [height = 32, width = 32, channels = 3] = String(options.image ?? '32x32x3')
      .split('x')
      .map(Number);
    return { image: [height, width, channels], classes: Number(options.classes ?? 10) };
  }
  const known = images[dataset];
  if (known === undefined) throw new Error(`no image shape for ${dataset}`);
  return known;
}

describe('every command for a published number', () => {
  it.each(knownCommands())('has plans with costs: %s', { timeout: 120_000 }, async (command) => {
    const settings = await settingsOf(command);
    expect(settings.length).toBeGreaterThan(0);
    for (const config of settings) {
      const { modules, objectives, phases, totals } = await explain({ ...config, ...imagesOf(command, config) });
      // Each module is trained by a loss.
      for (const { index } of modules)
        expect(objectives.some(({ span: [from, to] }) => from <= index && index <= to)).toBe(true);
      expect(modules.length).toBe(Array.isArray(config.partition) ? config.partition.length : config.modules);
      if (Array.isArray(config.partition)) expect(modules.map(({ blocks }) => blocks.length)).toEqual(config.partition);
      if (phases === undefined || phases.length === 0) expect(totals.unitsOfWork).toBeGreaterThanOrEqual(2.9);
      // Forward and both gradients of each module, in one of the phases.
      else for (const { index } of modules) expect(phases.map((phase) => phase.modules[index])).toContain(3);
      expect(totals.predictedPeakBytes).toBeGreaterThan(4 * totals.parameters);
    }
  });
});
