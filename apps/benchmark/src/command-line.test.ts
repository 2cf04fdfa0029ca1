import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from './command-line.js';
import { version } from './version.js';

async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    columns: 100,
    write(text: string) {
      written[name] += text;
    },
  });
  const exitCode = await runCommandLine(args, { stdout: stream('stdout'), stderr: stream('stderr') });
  return { ...written, exitCode, json: () => JSON.parse(written.stdout) as Record<string, never> };
}

const tinyRun = [
  '--backbone',
  'tiny',
  '--modules',
  '2',
  '--resize',
  '8',
  '--train-images',
  '40',
  '--test-images',
  '20',
  '--batch',
  '20',
];

describe('localgrad', () => {
  it('ends a command that does not watch the signal as soon as it is interrupted', async () => {
    const controller = new AbortController();
    const written: string[] = [];
    const stream = { write: (text: string) => written.push(text) };
    const ended = runCommandLine(['doctor'], { stdout: stream, stderr: stream, signal: controller.signal });
    controller.abort(new Error('interrupted'));
    expect(await ended).toBe(130);
    expect(written.join('')).toBe('localgrad: interrupted; everything written so far is complete.\n');
  });

  it('has help for itself and every command', async () => {
    const { stdout, exitCode, stderr } = await run('--help');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    for (const command of ['quickstart', 'train', 'explain', 'bench', 'doctor'])
      expect(stdout).toContain(`  ${command}`);
    for (const command of [['quickstart'], ['train'], ['explain'], ['bench', 'step'], ['doctor']]) {
      const help = await run(...command, '--help');
      expect(help.exitCode).toBe(0);
      expect(help.stdout).toContain('--json');
    }
    expect((await run('--version')).stdout).toBe(`${version}\n`);
  });

  it('reports wrong usage with the allowed names and exit code 2, without a stack trace', async () => {
    const option = await run('train', '--epoch', '3');
    expect(option.exitCode).toBe(2);
    expect(option.stderr).toMatch(/unknown option '--epoch'[\s\S]*--epochs/);
    expect(option.stderr).not.toMatch(/\n\s+at /);
    const command = await run('trian');
    expect(command.exitCode).toBe(2);
    expect(command.stderr).toMatch(/unknown command 'trian'[\s\S]*train/);
    const backbone = await run('explain', '--backbone', 'resnet33');
    expect(backbone.exitCode).toBe(2);
    expect(backbone.stderr).toMatch(/6n \+ 2/);
    const method = await run('explain', '--method', 'dlg');
    expect(method.stderr).toMatch(
      /^localgrad: Unknown method 'dlg'\. Did you mean 'dgl'\? Allowed: backprop, greedy, .*\(…\), or a package or file of your project \(acme-localgrad-own, \.\/own\.mjs\)\.\n$/,
    );
    const methodOption = await run('explain', '--method', 'greedy(head: 1c2f)');
    expect(methodOption.stderr).toContain("Method 'greedy' has no options; found 'head'.");
    expect((await run('bench', 'step', '--include', 'tensorflow')).stderr).toContain(
      'Allowed: literal, ordinary, one-thread, stock-tape, pytorch, pytorch-compile, ',
    );
  });

  it('prints an error as one JSON document too', async () => {
    const { stdout, exitCode } = await run('explain', '--modules', '99', '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'invalid-option', message: expect.stringContaining('--modules: 99; allowed: 1 to 15') },
    });
  });
});

describe('doctor', () => {
  it('lists the available backends', async () => {
    const { json, exitCode, stderr } = await run('doctor', '--json');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    const { backends, selected, toMeasure } = json() as unknown as {
      backends: { name: string }[];
      selected: string | null;
      toMeasure: string[];
    };
    const choice = selected === null ? toMeasure : [selected];
    expect(choice).not.toEqual([]);
    expect(backends.map(({ name }) => name)).toEqual(expect.arrayContaining(choice));
    for (const backend of backends) {
      expect(backend).toEqual(
        expect.objectContaining({
          name: expect.any(String),
          available: expect.any(Boolean),
          reason: expect.any(String),
          device: expect.any(String),
          hardware: expect.any(Boolean),
        }),
      );
    }
    const { stdout } = await run('doctor');
    for (const name of choice) expect(stdout).toContain(`✓ ${name}`);
  });
});

describe('explain', () => {
  it('describes modules, objectives and cost', async () => {
    const { json, exitCode } = await run(
      'explain',
      '--backbone',
      'resnet32',
      '--modules',
      '16',
      '--method',
      'dgl(head: 1c2f)',
      '--json',
    );
    expect(exitCode).toBe(0);
    const { method, modules, objectives, totals } = json() as unknown as {
      method: string;
      modules: { index: number; parameters: number }[];
      objectives: { id: string; role: string; span: [number, number]; head: string; parameters: number }[];
      totals: { relativeToBackprop: { work: number; memory: number } };
    };
    expect(method).toBe('dgl');
    expect(modules).toHaveLength(16);
    expect(modules[0]).toEqual(
      expect.objectContaining({
        index: 0,
        blocks: ['stem'],
        parameters: 3 * 9 * 16 + 32,
        unitsOfWork: 3,
        predictedBytes: expect.any(Number),
      }),
    );
    expect(objectives).toHaveLength(16);
    expect(objectives[3]).toMatchObject({ role: 'independent', span: [3, 3], head: '1c2f', weight: 1 });
    expect(objectives.at(-1)).toMatchObject({ id: 'final', role: 'final', span: [15, 15], parameters: 650 });
    expect(totals.relativeToBackprop.memory).toBeLessThan(0.25);
    expect(totals.relativeToBackprop.work).toBeGreaterThan(1);
  });

  it('relates backprop to itself', async () => {
    const { json } = await run('explain', '--backbone', 'resnet8', '--modules', '1', '--method', 'backprop', '--json');
    expect(json()).toMatchObject({ totals: { relativeToBackprop: { work: 1, memory: 1 } } });
  });

  it('prints tables for people: windows, chains, what averages follow, the reference procedure', async () => {
    const { stdout } = await run('explain', '--backbone', 'resnet8', '--modules', '3');
    expect(stdout).toContain('dgl on resnet8, images 32×32×3, batch 64');
    expect(stdout).toMatch(/module1 +independent +1 /);
    expect(stdout).not.toContain('Chains');
    const mlaan = await run('explain', '--backbone', 'resnet8', '--modules', '3', '--method', 'mlaan(infopro)');
    expect(mlaan.stdout).toMatch(/module1\.cascaded +cascaded +0 to 1 +0\.999 +leap\+/);
    expect(mlaan.stdout).toMatch(/module1\.cascaded +1 +\(3,0\)\+\(3,0\)\* +layer3\.0 +0\.995/);
    expect(mlaan.stdout).toMatch(/reference procedure +[\d.]+ +[\d.]+ \w+ +0\.\d+ × +0\.\d+ ×/);
  });

  it('names chains, windows and the reference procedure for programs', async () => {
    const options = ['--backbone', 'resnet32', '--modules', '8', '--partition', 'published', '--json'];
    const { json } = await run('explain', ...options, '--method', 'mlaan(greedy)');
    const { objectives, modules, totals } = json() as unknown as {
      modules: { unitsOfWork: number; referenceUnitsOfWork: number; references: number[][] }[];
      objectives: { id: string; headKey: string; reaches: string[]; reachedParameters: number; chain?: object }[];
      totals: { reference: object; relativeToReference: { work: number; memory: number } };
    };
    expect(modules[3]).toMatchObject({
      unitsOfWork: 4,
      referenceUnitsOfWork: 9,
      references: [
        [2, 0],
        [2, 1],
      ],
    });
    const cascaded = objectives.find(({ id }) => id === 'module5.cascaded');
    expect(cascaded).toMatchObject({ span: [4, 5], weight: 0.999, headKey: 'module5.cascaded.leap' });
    expect(cascaded?.chain).toEqual({
      momentum: 0.995,
      blocks: [
        { reference: [3, 2], live: 'layer3.2', learnable: true, averaged: true },
        { reference: [3, 3], live: 'layer3.3', learnable: true, averaged: false },
        { reference: [3, 4], live: 'layer3.4', learnable: true, averaged: false },
      ],
    });
    expect(cascaded?.reaches).toContain('layer2.2.conv1.weight');
    expect(cascaded?.reaches.some((name) => name.includes('.ema.'))).toBe(false);
    expect(totals.relativeToReference.work).toBeLessThan(0.7);
    expect(totals.relativeToReference.memory).toBeLessThan(1);
  });

  it('writes the same figure each time, and prints its path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-explain-'));
    const file = join(folder, 'new', 'plan.svg');
    const draw = () =>
      run('explain', '--backbone', 'resnet8', '--modules', '3', '--method', 'mlaan(dgl)', '--svg', file);
    expect((await draw()).stdout).toContain(`Figure written to ${file}`);
    const svg = await readFile(file, 'utf8');
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="title description"/);
    expect(svg).toContain('<title id="title">mlaan(dgl) on resnet8, 3 modules</title>');
    await draw();
    expect(await readFile(file, 'utf8')).toBe(svg);
  });
});

describe('train', () => {
  it('trains from a file and flags, and leaves a folder that says everything', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-train-'));
    const file = join(folder, 'run.yaml');
    await writeFile(file, 'method: greedy\nepochs: 2\nseed: 4\nlogEvery: 1\nbackend: cpu\n');
    const output = join(folder, 'run');
    const { json, exitCode, stderr } = await run(
      'train',
      file,
      ...tinyRun,
      '--epochs',
      '1',
      '--output',
      output,
      '--json',
    );
    expect(stderr).toContain('epoch 1/1');
    expect(exitCode).toBe(0);
    const report = json() as unknown as Record<string, unknown>;
    expect(report).toMatchObject({ folder: output, steps: 2, config: { method: 'greedy', epochs: 1, seed: 4 } });
    expect(report.runId).toMatch(/^[0-9a-f]{12}$/);
    for (const key of ['testAccuracy', 'bestTestAccuracy', 'seconds', 'peakBytes'])
      expect(report[key]).toEqual(expect.any(Number));
    expect((await readdir(output)).sort()).toEqual([
      '.localgrad.json',
      'claims',
      'config.yaml',
      'environment.json',
      'identity.json',
      'metrics.jsonl',
      'summary.json',
      'weights.safetensors',
    ]);
    const { folder: _, wasFinished, ...summary } = report;
    expect(JSON.parse(await readFile(join(output, 'summary.json'), 'utf8'))).toEqual(summary);
    expect(wasFinished).toBe(false);
    const events = (await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(events.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'run-start',
      'epoch-start',
      'step-end',
      'step-end',
      'evaluation-end',
      'epoch-end',
      'run-end',
    ]);
    const again = await run('train', join(output, 'config.yaml'), '--output', join(folder, 'again'), '--json');
    const repeated = again.json() as unknown as Record<string, unknown>;
    expect(repeated.runId).toBe(report.runId);
    expect(repeated.testAccuracy).toBe(report.testAccuracy);
  });

  it('writes nothing if the options are invalid', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-train-'));
    const output = join(folder, 'run');
    const { exitCode, stderr } = await run(
      'train',
      ...tinyRun,
      '--modules',
      '9',
      '--backend',
      'cpu',
      '--output',
      output,
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--modules: 9; allowed: 1 to 3, or 4 with the stem as a module of its own');
    expect(await readdir(folder)).toEqual([]);
    const large = [
      '--backbone',
      'resnet110',
      '--pad',
      '32',
      '--batch',
      '5000',
      '--method',
      'backprop',
      '--threads',
      '1',
    ];
    const refused = await run('train', ...large, '--output', output);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(
      /with batch size 5000 needs .* bytes predicted.* bytes\) are available\. The largest batch size that fits is \d+/,
    );
    expect(await readdir(folder)).toEqual([]);
    expect((await run('train', ...tinyRun, '--dataset', 'mnits')).stderr).toContain(
      'Allowed: fashion-mnist-subset, fashion-mnist, cifar10',
    );
  });
});
