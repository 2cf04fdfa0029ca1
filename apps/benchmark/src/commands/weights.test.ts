import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cifarResNet, pytorchFile, weightsFile } from '@localgrad/backbones';
import { createScope } from '@localgrad/nn/random';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import { afterAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../command-line.fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (...names: string[]) => join(folder, ...names);

const classNames = ['cat', 'dog', 'bird', 'ship', 'tree'];
const normalization = { mean: [0.25, 0.5, 0.75], deviation: [1, 1, 1] };
const config = { backbone: 'resnet8', widths: [2, 2, 3, 4] };
const backbone = cifarResNet({ depth: 8, widths: [2, 2, 3, 4] }).build({
  inputShape: [16, 12, 3],
  classes: 5,
  scope: createScope(1),
});

/** A folder with what a run leaves there. */
async function runFolder(): Promise<string> {
  await mkdir(at('run'), { recursive: true });
  await writeFile(at('run', 'weights.safetensors'), await weightsFile(backbone, { normalization, classNames }));
  return at('run');
}

async function exported(...args: string[]) {
  const { exitCode: code, ...written } = await runCaptured('weights', 'export', ...args);
  return { code, ...written };
}

describe('localgrad weights export', () => {
  it("writes a run's weights for PyTorch, and what PyTorch wrote for us", async () => {
    const there = at('pytorch.safetensors');
    const first = await exported(await runFolder(), '--format', 'pytorch', '--output', there, '--json');
    expect(first.stderr).toBe('');
    expect(JSON.parse(first.stdout)).toEqual({
      source: at('run'),
      format: 'pytorch',
      files: [there],
      backbone: config,
      inputShape: [16, 12, 3],
      classes: 5,
      tensors: 47,
      skipped: [],
      normalization,
      classNames,
    });
    expect(new Uint8Array(await readFile(there))).toEqual(await pytorchFile(backbone));

    const back = at('back.safetensors');
    const second = await exported(there, '--format', 'localgrad', '--output', back, '--image-size', '16x12');
    expect(second.code).toBe(0);
    expect(second.stdout).toContain('normalization unknown: the source does not record it');
    expect(new Uint8Array(await readFile(back))).toEqual(await weightsFile(backbone));
  });

  it('does not overwrite a file with other content, and accepts one with the same', async () => {
    const run = await runFolder();
    await mkdir(at('own'), { recursive: true });
    await writeFile(at('own', 'model.json'), 'mine');
    const model = await exported(run, '--format', 'tfjs-layers', '--output', at('own'));
    expect(model.code).toBe(2);
    expect(model.stderr).toMatch(/model\.json' exists with other content and is not overwritten\. Move it, or choose/);
    expect(await readdir(at('own'))).toEqual(['model.json']);
    expect(await readFile(at('own', 'model.json'), 'utf8')).toBe('mine');
    const file = at('twice.safetensors');
    for (const _ of ['first', 'second']) {
      expect((await exported(run, '--format', 'pytorch', '--output', file)).code).toBe(0);
    }
    await writeFile(file, 'mine');
    expect((await exported(run, '--format', 'pytorch', '--output', file)).stderr).toMatch(/is not overwritten/);
  });

  it('removes the prefix that all names share, and reports it', async () => {
    const { tensors, metadata } = readSafetensors(await pytorchFile(backbone));
    const prefixed = new Map([...tensors].map(([name, tensor]) => [`model.${name}`, tensor]));
    await writeFile(at('prefixed.safetensors'), writeSafetensors({ tensors: prefixed, metadata }));
    const flags = ['--format', 'localgrad', '--output', at('plain.safetensors'), '--image-size', '16x12'] as const;
    const { code, stdout } = await exported(at('prefixed.safetensors'), ...flags);
    expect(code).toBe(0);
    expect(stdout).toContain("names       without the prefix 'model.' of the source");
    expect(new Uint8Array(await readFile(at('plain.safetensors')))).toEqual(await weightsFile(backbone));
    const { stdout: json } = await exported(at('prefixed.safetensors'), ...flags, '--json');
    expect(JSON.parse(json)).toMatchObject({ prefix: 'model.', skipped: [] });
  });

  it('writes a model of TensorFlow.js layers', async () => {
    const { code, stdout } = await exported(await runFolder(), '--format', 'tfjs-layers', '--output', at('web'));
    expect(code).toBe(0);
    expect(stdout).toContain('resnet8, images 16×12×3, 5 classes');
    expect(stdout).toContain('mean 0.2500, 0.5000, 0.7500');
    expect((await readdir(at('web'))).sort()).toEqual(['model.json', 'weights.bin']);
    const model = JSON.parse(await readFile(at('web', 'model.json'), 'utf8'));
    expect(model.userDefinedMetadata.localgrad).toMatchObject({ normalization, classNames });
    const { tensors } = readSafetensors(await weightsFile(backbone));
    const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    expect((await readFile(at('web', 'weights.bin'))).length).toBe(bytes);
  });

  it('reports a wrong source, format or output, and writes nothing', async () => {
    const nothing = ['--format', 'pytorch', '--output', at('nothing.safetensors')] as const;
    const noFile = await exported(at('elsewhere.safetensors'), ...nothing);
    expect(noFile.code).toBe(1);
    expect(noFile.stderr).toContain(`Cannot read '${at('elsewhere.safetensors')}'`);
    await mkdir(at('empty'), { recursive: true });
    expect((await exported(at('empty'), ...nothing)).stderr).toMatch(/A run writes it when it has finished/);
    await copyFile(new URL('weights.test.ts', import.meta.url), at('text.safetensors'));
    expect((await exported(at('text.safetensors'), ...nothing)).stderr).toMatch(/text\.safetensors: byte 0/);
    const run = await runFolder();
    const format = await exported(run, '--format', 'onnx', '--output', at('nothing.safetensors'));
    expect(format.code).toBe(2);
    expect(format.stderr).toMatch(/pytorch, localgrad, tfjs-layers/);
    const output = await exported(run, '--format', 'pytorch', '--output', at('empty'));
    expect(output.code).toBe(2);
    expect(output.stderr).toMatch(/is a folder; format pytorch needs a file/);
    const size = await exported(run, ...nothing, '--image-size', '32');
    expect(size.stderr).toMatch(/height x width, e\.g\. 32x32/);
    expect(await readdir(folder)).not.toContain('nothing.safetensors');
  });
});
