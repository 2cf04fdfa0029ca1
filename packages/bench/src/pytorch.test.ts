import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { explain } from '@localgrad/runs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchStep } from './bench-step.js';
import { recomputeName } from './contestants.js';
import type { BenchStepOptions } from './options.js';
import { startPytorch } from './pytorch.js';

const options: BenchStepOptions = {
  backbone: 'resnet8',
  width: 2,
  modules: 3,
  partition: 'even',
  stemModule: undefined,
  methods: ['mlaan(greedy)'],
  memory: 'residuals',
  batch: 4,
  image: [8, 8, 3],
  classes: 10,
  backend: 'cpu',
  threads: 1,
  repeats: 2,
  warmup: 1,
  include: ['pytorch'],
};
const script = join(import.meta.dirname, '../../../benchmarks/peers/pytorch_step.py');
const python = process.env.LOCALGRAD_PYTHON ?? 'python3';
/** As the script does, which goes over to the system's own Python. */
const hasPytorch = [python, '/usr/bin/python3'].some((path) => spawnSync(path, ['-c', 'import torch']).status === 0);
if (!hasPytorch) {
  console.warn(
    `SKIPPED: the PyTorch peer was not run, since ${python} has no PyTorch (pip install torch; LOCALGRAD_PYTHON).`,
  );
}
const quiet = { stdout: { write: () => {} }, stderr: { write: () => {} } };

describe('the protocol', () => {
  let folder = '';
  /** An interpreter that keeps what it is given, and answers as the script does. */
  const interpreter = (greeting: string) => {
    const path = join(folder, 'python');
    const answer = '{"milliseconds":5,"peakBytes":70,"stepBytes":60}';
    const lines = [
      '#!/bin/sh',
      `echo "$@" > '${folder}/arguments'`,
      `read -r plan; printf '%s' "$plan" > '${folder}/plan'`,
      greeting,
      `while read -r line; do echo '${answer}'; done`,
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const plan = () => JSON.parse(readFileSync(join(folder, 'plan'), 'utf8'));
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-pytorch-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('sends the plan, then asks for one step at a time', async () => {
    const greeting = `echo '{"backend":"pytorch-cpu","details":{"threads":1}}'`;
    const backend = await selectBackend('cpu');
    const peer = await startPytorch('mlaan(greedy)', { ...options, python: interpreter(greeting) }, backend);
    expect(peer).toMatchObject({ name: 'pytorch literal mlaan(greedy)', modules: 3, backend: 'pytorch-cpu' });
    expect(await peer.step()).toEqual({ milliseconds: 5, peakBytes: 70, stepBytes: 60 });
    expect(await peer.step()).toMatchObject({ milliseconds: 5 });
    await peer.close();
    expect(plan()).toMatchObject({ backbone: 'resnet8', batch: 4, image: [8, 8, 3], classes: 10 });
    expect(plan().backboneConfig).toEqual({ backbone: 'resnet8', widths: [2, 2, 4, 8] });
    expect(plan().modules.map((module: { outputShape: object }) => module.outputShape)).toEqual([
      [8, 8, 2],
      [4, 4, 4],
      [2, 2, 8],
    ]);
    expect(plan().objectives).toHaveLength(6);
    expect(readFileSync(join(folder, 'arguments'), 'utf8').trim()).toMatch(
      /pytorch_step\.py --serve --device cpu --threads 1$/,
    );
    const recomputed = await startPytorch(recomputeName, { ...options, python: interpreter(greeting) }, backend);
    await recomputed.close();
    expect(recomputed.name).toBe(`pytorch ${recomputeName}`);
    expect(plan()).toMatchObject({ memory: 'recompute', objectives: [{ span: [0, 1] }] });
    const local = await startPytorch('dgl', { ...options, python: interpreter(greeting) }, backend);
    await local.close();
    expect(local.name).toBe('pytorch dgl');
    const other = await startPytorch(
      'dgl',
      { ...options, python: interpreter(greeting) },
      backend,
      'pytorch-channels-last',
    );
    await other.close();
    expect(other.name).toBe('pytorch-channels-last dgl');
    expect(readFileSync(join(folder, 'arguments'), 'utf8').trim()).toMatch(/--threads 1 --channels-last$/);
    backend.dispose();
  });

  it('reports once why PyTorch is not available', async () => {
    const failing = interpreter('echo "No PyTorch here." >&2; exit 1');
    const { rows, missing } = await benchStep({ ...options, python: failing }, quiet);
    expect(missing).toEqual([{ name: 'pytorch', reason: expect.stringContaining('No PyTorch here.') }]);
    expect(rows.every(({ method }) => !method.startsWith('pytorch'))).toBe(true);
  });
});

it('has a script in the repository', () => expect(existsSync(script)).toBe(true));

describe.skipIf(!hasPytorch)('in PyTorch', { timeout: 60_000 }, () => {
  const check = async (method: string, modules: number, flags: readonly string[] = [], setting = {}) => {
    const { width, batch, image, classes, memory, partition, stemModule } = options;
    const small = { backbone: 'resnet14', width, batch, image, classes, modules, partition, stemModule, memory };
    const plan = await explain({ ...small, seed: 1, method, ...setting });
    const { stdout, stderr, status } = spawnSync(python, [script, '--threads', '1', '--device', 'cpu', ...flags], {
      input: JSON.stringify(plan),
      encoding: 'utf8',
    });
    return { status, stderr, answer: JSON.parse(stdout || '{}'), plan };
  };

  it.each([
    ['backprop', 7],
    ['dgl', 3],
    ['greedy', 7],
    ['mlm(dgl(head: 1c2f), window: 3)', 5],
    ['lam(dgl(head: 0c2f), chain: ema)', 7],
    ['mlaan(dgl(head: 2c2f), variant: officialCode)', 4],
    ['infopro', 4],
    ['mlaan(infopro(ixx1: 0, ixx2: 1))', 4],
  ])('%s has our weights, and the gradients of its losses', async (method, modules) => {
    const { status, stderr, answer, plan } = await check(method, modules, ['--self-check']);
    expect(status, stderr).toBe(0);
    expect(answer.parameters).toBe(plan.totals.parameters);
    expect(answer.gradientsCompared).toBeGreaterThan(10);
    expect(answer.maxRelativeError).toBeLessThan(1e-9);
  });

  it.each([
    ['resnet18', { width: 4 }, 'mlaan(greedy)', 4],
    ['resnext50-2x16d', { width: 8 }, 'infopro', 4],
    ['resnet14(widths: [4, 6, 8, 10])', {}, 'mlaan(dgl)', 4],
    ['wide-resnet-16-1', {}, 'mlaan(dgl(head: dgl-cnn))', 4],
    ['vgg11(width: 2, hidden: 8, batchNorm: true)', {}, 'mlaan(dgl(head: dgl-128x512))', 4],
    ['vgg13(width: 2, hidden: 8)', {}, 'dgl(head: dgl-mlp)', 3],
    ['vit(width: 12, heads: 3, depth: 4, patch: 8)', {}, 'mlaan(dgl(head: class-token))', 3],
    ['vit(width: 8, heads: 2, depth: 4, patch: 8, patchNorm: true)', {}, 'infopro', 3],
  ])('%s has the weights and shapes of ours', async (backbone, given, method, modules) => {
    const setting = { backbone, width: undefined, image: [32, 32, 3], ...given };
    const { status, stderr, answer, plan } = await check(method, modules, ['--self-check'], setting);
    expect(status, stderr).toBe(0);
    expect(answer.parameters).toBe(plan.totals.parameters);
    expect(answer.gradientsCompared).toBeGreaterThan(10);
    expect(answer.maxRelativeError).toBeLessThan(1e-9);
  });

  it('rejects plans that it cannot build faithfully', async () => {
    expect((await check('infopro(reconstruct: input)', 3)).stderr).toContain('no head that reads moduleInput');
    expect((await check('infopro(loss: contrast)', 3)).stderr).toMatch(
      /no head '.*' with the losses reconstruction, contrast/,
    );
    expect((await check('infopro(widen: 2)', 3)).stderr).toMatch(/built head 'module0' with \d+ weights/);
    const densenet = await check('dgl', 3, [], { backbone: 'densenet-bc-16-4', width: undefined });
    expect(densenet.stderr).toMatch(/no backbone 'densenet-bc-16-4'; it has the ResNets/);
    expect((await check('predsim', 3)).stderr).toContain('The PyTorch peer has no head');
    expect((await check('dgl(head: 1c2f, widen: 2)', 3)).stderr).toMatch(/built head 'module0' with \d+ weights/);
  });

  it('is measured interleaved with our steps', async () => {
    const { rows, missing } = await benchStep({ ...options, methods: ['mlaan(greedy)', 'predsim'] }, quiet);
    expect(rows.map(({ method }) => method)).toEqual([
      'backprop',
      'backprop+recompute',
      'mlaan(greedy)',
      'predsim',
      'pytorch backprop',
      'pytorch backprop+recompute',
      'pytorch literal mlaan(greedy)',
    ]);
    expect(missing).toEqual([{ name: 'pytorch predsim', reason: expect.stringContaining('has no head') }]);
    const [backprop, , mlaan, , peer, , literal] = rows;
    expect(backprop?.relativeToPytorch?.time).toBeCloseTo((backprop?.stepMs.median ?? 0) / (peer?.stepMs.median ?? 1));
    expect(mlaan?.relativeToPytorch?.memory).toBeCloseTo((mlaan?.peakBytes ?? 0) / (literal?.peakBytes ?? 1));
    // Weights, averages and momentum rest between steps: 12 bytes a weight at least.
    expect((peer?.peakBytes ?? 0) - (peer?.stepBytes ?? 0)).toBeGreaterThan(8 * 1000);
    for (const row of [peer, literal]) expect(row?.stepBytes).toBeGreaterThan(0);
  });
});
