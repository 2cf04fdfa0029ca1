import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '@localgrad/core';
import { datasetNames } from '@localgrad/data';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseCsv } from '../packages/bench/src/csv.js';
import { standardCatalog } from '../packages/catalog/src/index.js';
import { readExperiment } from '../packages/experiments/src/execution/experiment-file.js';
import { buildNetwork, buildPlan } from '../packages/runs/src/build-plan.js';
import { resolveConfig } from '../packages/runs/src/config/resolve-config.js';
import type { RunConfig } from '../packages/runs/src/config/run-config.js';
import { benchmarks, knownCommands, parseCommand, readCommands } from './benchmark-commands.fixture.js';

const script = join(benchmarks, 'make-readme.mjs');
const recipes = join(benchmarks, 'recipes');
const columns = 'id,dataset,backbone,modules,method,metric,value,deviation,unit,epochs,source,evidence';

/** Named data sets, and the folders of ImageNet and Cityscapes. */
const datasets: readonly string[] = [...datasetNames, './imagenet', './cityscapes'];

function makeReadme(...options: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [script, ...options], { encoding: 'utf8' });
  return { status, stderr };
}

describe('targets', () => {
  const text = readFileSync(join(benchmarks, 'targets.csv'), 'utf8');
  const targets = parseCsv(text.replaceAll('\r\n', '\n'));

  it('are valid RFC 4180 CSV with the expected columns', () => {
    expect(text.split('\r\n')[0]).toBe(columns);
    // Every line ends with CRLF.
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(targets.length).toBe(text.split('\r\n').length - 2);
  });

  it('have unique IDs, a source and an evidence level', () => {
    expect(new Set(targets.map(({ id }) => id)).size).toBe(targets.length);
    for (const { source, evidence } of targets) {
      expect(source).toMatch(/\(arXiv \d{4}\.\d{5}\)/);
      expect(evidence).toMatch(/^(official (table|readme|log)|second-hand (notes|review))(, approximate)?$/);
    }
  });

  it('are listed unchanged in the README', () => {
    expect(makeReadme('--check')).toEqual({ status: 0, stderr: '' });
  });
});

describe('make-readme', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'benchmarks-'));
    mkdirSync(join(folder, 'results'));
    writeFileSync(
      join(folder, 'README.md'),
      'Above\n<!-- targets: begin (make-readme.mjs) -->\n<!-- targets: end -->\nBelow\n',
    );
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const target = (id: string, value: string, deviation: string) =>
    `${id},cifar10,resnet32,8,DGL,test error,${value},${deviation},%,160,"A, B (arXiv 1234.56789)",official table`;
  const write = (targets: readonly string[], reproduced?: readonly string[]) => {
    writeFileSync(join(folder, 'targets.csv'), [columns, ...targets, ''].join('\r\n'));
    if (reproduced === undefined) return;
    writeFileSync(
      join(folder, 'results/reproduced.csv'),
      ['id,value,interval,n,command', ...reproduced, ''].join('\r\n'),
    );
  };
  const readme = () => readFileSync(join(folder, 'README.md'), 'utf8');

  it('lists the commands, and what the other targets lack', () => {
    write([target('a', '7', ''), target('b', '8', ''), target('c', '9', ''), target('d', '9', '')]);
    const rows = ['id,command,missing', 'a,localgrad train,', 'b,,a backbone', 'c,localgrad train,', ''];
    writeFileSync(join(folder, 'commands.csv'), rows.join('\r\n'));
    expect(makeReadme(folder)).toEqual({ status: 0, stderr: '' });
    expect(readme()).toContain('4 published numbers, 2 with a command that runs them');
    expect(readme().match(/not run \| – \| .* \|/g)).toEqual([
      'not run | – | 1 |',
      'not run | – | a backbone |',
      'not run | – | 1 |',
      'not run | – | – |',
    ]);
    expect(readme()).toContain('\n1. `localgrad train`\n');
  });

  it.each([
    ['e,localgrad train,', /commands\.csv: e: no target has this ID/],
    ['a,,', /exactly one of 'command' and 'missing'/],
    ['a,localgrad train,a backbone', /exactly one of 'command' and 'missing'/],
  ])('rejects the command %s', (row, message) => {
    write([target('a', '7', '')]);
    writeFileSync(join(folder, 'commands.csv'), ['id,command,missing', row, ''].join('\r\n'));
    expect(makeReadme(folder)).toEqual({ status: 1, stderr: expect.stringMatching(message) });
  });

  it('marks targets that were not run', () => {
    write([target('a', '7.37', '0.10')]);
    expect(makeReadme('--check', folder).status).toBe(1);
    expect(makeReadme(folder)).toEqual({ status: 0, stderr: '' });
    expect(readme()).toContain('| DGL, K = 8: test error | 7.37 ± 0.10 % | not run | – |');
    expect(readme()).toMatch(
      /^Above\n[\s\S]*1 published numbers, 0 with a command that runs them; 0 run here[\s\S]*\nBelow\n$/,
    );
    expect(makeReadme('--check', folder).status).toBe(0);
  });

  it.each([
    ['the interval contains the published value', '', '7.5,7.2 to 7.8,5', '7.5 (7.2 to 7.8) %, n = 5 | ✅ |'],
    ['too few runs for an interval', '', '7.5,7.2 to 7.8,2', '| ? |'],
    ['within the published deviation', '0.20', '7.5,7.45 to 7.55,5', '| ✅ |'],
    ['exactly at the published deviation', '0.13', '7.5,,1', '| ❌ +0.13 |'],
    ['outside the interval', '', '7.0,6.9 to 7.1,5', '| ❌ −0.37 |'],
    ['without a published deviation', '', '7.37,,1', '| ? |'],
  ])('judges: %s', (_, deviation, ours, expected) => {
    write([target('a', '7.37', deviation)], [`a,${ours},localgrad report x`]);
    expect(makeReadme(folder)).toEqual({ status: 0, stderr: '' });
    expect(readme()).toContain(expected);
    expect(readme()).toContain('1. `localgrad report x`');
  });

  it.each([
    [[target('a', '7', ''), target('a', '8', '')], undefined, /a: the id is there twice/],
    [[target('a', 'seven', '')], undefined, /a: value 'seven' is no number/],
    [[`${target('a', '7', '')},more`], undefined, /record 2 has 13 fields instead of 12/],
    [[target('a', '7', '')], ['b,7,,1,x'], /reproduced\.csv: b: no target has this id/],
    [[target('a', '7', '')], ['a,7,±1,1,x'], /interval '±1'/],
    [[target('a', '7', '')], ['a,7,,1,'], /command is empty/],
    [[target('a', '7', '')], ['a,7,,1,x', 'a,8,,1,x'], /reproduced\.csv: a: the id is there twice/],
  ])('rejects %j with %j', (targets, reproduced, message) => {
    write(targets, reproduced);
    const before = readme();
    const { status, stderr } = makeReadme(folder);
    expect([status, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(readme()).toBe(before);
  });
});

describe('commands', () => {
  const commands = readCommands();
  const known = knownCommands();

  it('exist for every target, or a statement of what is missing', () => {
    const targets = parseCsv(readFileSync(join(benchmarks, 'targets.csv'), 'utf8').replaceAll('\r\n', '\n'));
    expect(commands.map(({ id }) => id)).toEqual(targets.map(({ id }) => id));
    for (const { id, command, missing } of commands) expect([command, missing].filter(Boolean), id).toHaveLength(1);
  });

  it.each(known)('%s', (command) => {
    const { words, options, then } = parseCommand(command);
    if (words[1] === 'sweep') {
      expect(words.slice(0, 3)).toEqual(['localgrad', 'sweep', 'run']);
      expect(readdirSync(recipes)).toContain(words[3]?.replace('benchmarks/recipes/', ''));
      return;
    }
    const { methods, image, classes, repeats, warmupSteps, output, ...config } = options;
    for (const line of then) {
      const { words: after, options: how } = parseCommand(line);
      expect(after).toEqual(['localgrad', 'evaluate', output]);
      for (const scale of String(how.scales).split(',')) expect(Number(scale)).toBeGreaterThan(0);
    }
    if (words[1] === 'bench') {
      expect(words).toEqual(['localgrad', 'bench', 'step']);
      for (const method of String(methods).split(' / ')) standardCatalog.method(method);
    } else expect(words).toEqual(['localgrad', 'train']);
    const { dataset, method, backbone, schedule, optimizer } = resolveConfig(config);
    expect(datasets).toContain(dataset);
    standardCatalog.method(method);
    standardCatalog.backbone(backbone);
    standardCatalog.schedule(schedule, { learningRate: 0.1 });
    standardCatalog.optimizer(optimizer, { learningRate: 0.1 });
  });
});

describe('recipes', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  /** Caches networks, because recipes share few partitions of few networks. */
  const networks = new Map<string, Network>();
  const networkOf = async (config: RunConfig) => {
    const { backbone, width, modules, partition, stemModule, method } = config;
    const cut = { backbone, width, modules, partition, stemModule };
    // The cuts of equal peaks depend on the method's heads.
    const key = JSON.stringify(partition === 'balanced-peak' ? { ...cut, method } : cut);
    const network = networks.get(key) ?? (await build(config));
    networks.set(key, network);
    return network;
  };
  const build = async (config: RunConfig) => {
    if (config.partition !== 'balanced-peak')
      return buildNetwork(config, [32, 32, 3], 10, createScope(1, { zeros: true }));
    const { network, dispose } = await buildPlan(
      { ...config, seed: 1 },
      { imageShape: [32, 32, 3], classes: 10 },
      { zeros: true },
    );
    dispose();
    return network;
  };

  it.each(readdirSync(recipes))('%s builds its network and plan', async (file) => {
    const experiment = await readExperiment(join(recipes, file));
    expect(`${experiment.name}.yaml`).toBe(file);
    expect(experiment.description).not.toBe('');
    for (const condition of experiment.conditions) {
      const config = condition.config as unknown as RunConfig;
      expect(datasets).toContain(config.dataset);
      const network = await networkOf(config);
      // `modules` is the K shown in reports; for an explicit partition, nothing else compares the two.
      expect(network.modules.length, condition.name).toBe(config.modules);
      const { objectives } = standardCatalog.method(config.method).plan(network);
      expect(objectives.at(-1)?.span[1], condition.name).toBe(config.modules - 1);
    }
  });

  it('are all listed in the README', () => {
    const readme = readFileSync(join(benchmarks, 'README.md'), 'utf8');
    for (const file of readdirSync(recipes)) expect(readme).toContain(`](recipes/${file})`);
  });
});

describe('scripts with --output', () => {
  const scripts = readdirSync(benchmarks)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => [name, readFileSync(join(benchmarks, name), 'utf8')] as const)
    .filter(([, source]) => /^ +output: \{/m.test(source));

  it('are found', () => expect(scripts.length).toBeGreaterThan(2));

  it.each(scripts)('%s checks the file first, and writes only over a file of its own', (_, source) => {
    expect(source).toMatch(/^const write = await ownOutput\(\w+\.output, /m);
    expect(source).toMatch(/^await write\(/m);
    expect(source).not.toMatch(/writeFile(Sync)?\(\s*\w+\.output/);
  });

  it('replace a file of their own, and end before they write over another', async () => {
    const { ownOutput } = await import(join(benchmarks, 'own-output.mjs'));
    const folder = mkdtempSync(join(tmpdir(), 'localgrad-output-'));
    const [own, foreign] = [join(folder, 'own.csv'), join(folder, 'foreign.csv')];
    writeFileSync(foreign, 'mine\n');
    const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    const message = vi.spyOn(console, 'error').mockImplementation(() => {});
    try {
      for (const line of ['1,2', '3,4']) {
        const write = await ownOutput(own, 'a,b');
        await write([line]);
        expect(readFileSync(own, 'utf8')).toBe(`a,b\n${line}\n`);
      }
      await expect(ownOutput(foreign, 'a,b')).rejects.toThrow('exit 2');
      expect(message.mock.calls[0]?.[0]).toContain('localgrad did not write it');
      expect(readFileSync(foreign, 'utf8')).toBe('mine\n');
    } finally {
      exit.mockRestore();
      message.mockRestore();
      rmSync(folder, { recursive: true });
    }
  });
});
