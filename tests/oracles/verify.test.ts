import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors, type StoredTensor, writeSafetensors } from '@localgrad/nn/serialization';
import { type VerifyReport, verify } from '@localgrad/verify';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../apps/benchmark/src/command-line.js';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.safetensors`, import.meta.url));
const mini = fixture('mini');
const folder = mkdtempSync(join(tmpdir(), 'localgrad-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command; returns its exit code and output. */
async function command(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const code = await runCommandLine(['verify', ...args], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  });
  return { code, stdout, stderr };
}

/** A backend besides those available everywhere. */
const extra = process.env.LOCALGRAD_TEST_BACKEND;
const isSlow = process.env.LOCALGRAD_TESTS === 'all';
/** The suite of another backend is for what differs there. */
const isOther = extra !== undefined && extra !== 'wasm';
const all = ['e2e', 'infopro_ce_k4', 'dgl_k4', 'infopro_contrast_k7', 'greedy_k7', 'mlaan_official', 'mlaan_corrected'];
/** Plain JavaScript, and a processor that plays a GPU, need minutes for all cases. */
const mostTelling = ['infopro_contrast_k7', 'mlaan_official'];

type Row = readonly [backend: string, memory: 'residuals' | 'recompute', arithmetic: 'relaxed SIMD' | 'portable'];
const rows: readonly Row[] = isOther
  ? [[extra, 'residuals', 'portable']]
  : [
      ['wasm', 'residuals', 'relaxed SIMD'],
      ['wasm', 'residuals', 'portable'],
      ['wasm', 'recompute', 'relaxed SIMD'],
      ...(isSlow ? ([['cpu', 'residuals', 'portable']] as const) : []),
    ];

describe.each(rows)('the PyTorch reference on %s, %s, %s', (backend, memory, arithmetic) => {
  it('matches the cases of the small network, the contrastive loss and SGD', async () => {
    const relaxedSimd = arithmetic === 'relaxed SIMD';
    const how = { backend, memory, threads: 'auto', relaxedSimd, tolerance: 1e-4 } as const;
    const names = backend === 'cpu' || backend === 'webgpu' ? mostTelling : all;
    const network = [];
    for (const only of names) network.push(...(await verify({ ...how, files: [mini], only })).cases);
    const { cases: micro } = await verify({ ...how, files: [fixture('micro')] });
    const cases = [...network, ...micro];
    // The contrastive gradient involves cancellation: plain JavaScript accumulates long float32 sums sequentially, and
    // exp on a GPU may be off by 3 + 2|x| units in the last place (WGSL, "Floating Point Accuracy").
    const contrast: Readonly<Record<string, number>> = { cpu: 2e-3, webgpu: 5e-4 };
    const allowed = (name: string) => (name.includes('contrast') ? (contrast[backend] ?? 1e-4) : 1e-4);
    for (const { case: name, maxRelativeError, groups } of cases) {
      expect(maxRelativeError, `${name} ${JSON.stringify(groups)}`).toBeLessThanOrEqual(allowed(name));
    }
    expect(cases.map((entry) => entry.case)).toEqual([
      ...names.map((name) => `mini/${name}`),
      ...[0, 1, 2, 3, 4, 5, 6].map((index) => `supcon_sgd_micro/supcon_${index}`),
      ...[0, 1, 2, 3].map((index) => `supcon_sgd_micro/sgd_${index}`),
    ]);
    const official = cases.find((entry) => entry.case === 'mini/mlaan_official');
    expect(
      Object.fromEntries(Object.entries(official?.groups ?? {}).map(([name, { compared }]) => [name, compared])),
    ).toEqual({
      features: 7,
      logits: 1,
      losses: 9,
      gradients: 123,
      statistics: 30,
      trajectory: 3,
      weights: 123,
      averages: 33,
    });
  });
});

describe('the PyTorch reference of methods in their own form', () => {
  it.each(['residuals', 'recompute'] as const)(
    'matches InfoPro with feature reconstruction, predsim and its similarities, %s',
    async (memory) => {
      const how = { backend: extra ?? 'wasm', memory, threads: 'auto', tolerance: 1e-4 } as const;
      const { cases } = await verify({ files: [fixture('methods')], ...how });
      expect(cases.map((entry) => entry.case)).toEqual([
        'methods/infopro_features',
        'methods/predsim',
        'methods/similarity_maps',
        'methods/similarity_flat',
      ]);
      for (const { case: name, maxRelativeError, groups } of cases) {
        expect(maxRelativeError, `${name} ${JSON.stringify(groups)}`).toBeLessThanOrEqual(1e-4);
      }
    },
    60_000,
  );
});

describe('the PyTorch reference of other networks', () => {
  it.each(['residuals', 'recompute'] as const)(
    'matches MAN++ on a vision transformer and AugLocal on VGG, %s',
    async (memory) => {
      const how = { backend: extra ?? 'wasm', memory, threads: 'auto', tolerance: 1e-4 } as const;
      const { cases } = await verify({ files: [fixture('networks')], ...how });
      expect(cases.map((entry) => entry.case)).toEqual(['networks/vit_man', 'networks/vgg_auglocal']);
      for (const { case: name, maxRelativeError, groups } of cases) {
        expect(maxRelativeError, `${name} ${JSON.stringify(groups)}`).toBeLessThanOrEqual(1e-4);
      }
      expect(cases[0]?.groups).toMatchObject({ averages: { compared: 24 }, trajectory: { compared: 9 } });
    },
    60_000,
  );
});

describe.skipIf(isOther)('the plans of published code', () => {
  it('have the spans and head sizes of AugLocal at every depth, and the trained parameters of MAN', async () => {
    const report = await verify({
      files: [fixture('plans')],
      ...(isSlow ? {} : { only: 'resnet32' }),
      backend: 'wasm',
      threads: 'auto',
      tolerance: 1e-12,
    });
    const depths = (isSlow ? ['resnet32', 'resnet110'] : ['resnet32']).flatMap((backbone) =>
      [1, 2, 3, 4, 5, 6].map((depth) => `auglocal/${backbone}_d${depth}`),
    );
    expect(report.cases.map(({ case: name, maxRelativeError }) => [name, maxRelativeError])).toEqual(
      [...depths, 'man/resnet32_k8', 'man/resnet32_k15'].map((name) => [name, 0]),
    );
    expect(report.cases[0]?.groups).toMatchObject({ spans: { compared: 6 }, 'head parameters': { compared: 2 } });
  }, 120_000);

  it('differ for another depth', async () => {
    const file = join(folder, 'plans.safetensors');
    const { metadata } = readSafetensors(readFileSync(fixture('plans')), 'plans');
    const [first] = JSON.parse(metadata.cases ?? '[]') as Record<string, unknown>[];
    const cases = JSON.stringify([{ ...first, method: 'auglocal(depth: 2)' }]);
    writeFileSync(file, writeSafetensors({ tensors: new Map(), metadata: { ...metadata, cases } }));
    const { code, stdout } = await command(file, '--backend', 'cpu');
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ {2}auglocal\/resnet32_d1 +spans .*module13/s);
  });
});

describe.skipIf(isOther)('the command', () => {
  it('prints groups and errors, and JSON', async () => {
    const text = await command(mini, '--only', 'dgl', '--backend', 'wasm');
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/✓ {2}mini\/dgl_k4 +features/);
    expect(text.stdout).toContain("1 cases agree with their references on 'wasm' to 0.0001.");
    const { code, stdout } = await command(mini, '--only', 'e2e', '--backend', 'wasm', '--json');
    const report = JSON.parse(stdout) as VerifyReport;
    expect([code, report.cases.length, report.cases[0]?.case]).toEqual([0, 1, 'mini/e2e']);
    expect(report.cases[0]?.groups.gradients?.maxRelativeError).toBeLessThan(1e-4);
  });

  it('exits with 1 above the tolerance, and reports the worst tensor', async () => {
    const { code, stdout } = await command(mini, '--only', 'e2e', '--backend', 'wasm', '--tolerance', '1e-9');
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ {2}mini\/e2e/);
    expect(stdout).toContain('1 of 1 cases differ');
  });
});

describe.skipIf(isOther)('files that cannot be used', () => {
  const { tensors, metadata } = readSafetensors(readFileSync(mini), 'mini');
  const write = (change: (cases: object[], all: Map<string, StoredTensor>) => unknown, more = {}) => {
    const cases = (JSON.parse(metadata.cases as string) as { case: string }[]).filter(
      (entry) => (entry.case as string) === 'mini/dgl_k4',
    );
    const all = new Map(tensors);
    change(cases, all);
    const file = join(folder, 'changed.safetensors');
    writeFileSync(
      file,
      writeSafetensors({ tensors: all, metadata: { ...metadata, cases: JSON.stringify(cases), ...more } }),
    );
    return file;
  };
  type Changed = {
    method: unknown;
    parameters: Record<string, unknown>;
    network: { backbone: string };
    expected: object;
  };

  it.each<[string, () => string, RegExp]>([
    ['missing', () => join(folder, 'none.safetensors'), /Cannot read .*none/],
    [
      'cut',
      () => {
        writeFileSync(join(folder, 'cut'), readFileSync(mini).subarray(0, 60_000));
        return join(folder, 'cut');
      },
      /truncated|ends at byte/,
    ],
    ['of another kind', () => write(() => {}, { format: 'pt' }), /localgrad-reference.*oracles:convert/s],
    ['of another version', () => write(() => {}, { version: '7' }), /version 7; supported: 1/],
    ['without JSON', () => write(() => {}, { cases: '{' }), /'cases' is not JSON/],
    ['with an unknown key', () => write(([first]) => Object.assign(first as object, { metod: 1 })), /metod/],
    [
      'with a missing tensor',
      () => write((_, all) => all.delete('weights/conv1.weight')),
      /refers to tensor 'weights\/conv1.weight', which is missing/,
    ],
    [
      'with an initial value of the wrong shape',
      () =>
        write(([first]) =>
          Object.assign((first as unknown as Changed).parameters, { 'conv1.weight': 'weights/fc.weight' }),
        ),
      /initial value of 'conv1.weight' has shape \[16, 10\]/,
    ],
    [
      'without an initial value',
      () => write(([first]) => delete (first as unknown as Changed).parameters['conv1.weight']),
      /no initial value for parameter 'conv1\.weight'/,
    ],
    [
      'with an extra initial value',
      () => write(([first]) => Object.assign((first as unknown as Changed).parameters, { conv9: 'weights/fc.bias' })),
      /'conv9'.*no such parameter/,
    ],
    [
      'with an unknown method',
      () => write(([first]) => Object.assign(first as object, { method: 'dgll' })),
      /dgll.*Did you mean 'dgl'/s,
    ],
    [
      'with an unknown backbone',
      () => write(([first]) => Object.assign((first as unknown as Changed).network, { backbone: 'vgg' })),
      /Unknown backbone 'vgg'/,
    ],
  ])('%s', async (_, make, message) => {
    const { code, stderr, stdout } = await command(make(), '--backend', 'cpu', '--json');
    expect(stderr).toMatch(message);
    expect([1, 2]).toContain(code);
    expect(JSON.parse(stdout)).toHaveProperty('error.message');
  });

  it('fails a case whose expected gradient does not exist', async () => {
    const expected = { gradients: { 'heads.module9.head.2.weight': 'weights/fc.weight' } };
    const file = write(([first]) => Object.assign(first as object, { expected }));
    const { code, stdout } = await command(file, '--backend', 'wasm');
    expect(code).toBe(1);
    expect(stdout).toContain('heads.module9.head.2.weight');
  });

  it('reports the available cases if none matches', async () => {
    const { code, stderr } = await command(mini, '--only', 'hpff', '--backend', 'cpu');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/No case has 'hpff'.*mini\/mlaan_official/s)]);
  });
});
