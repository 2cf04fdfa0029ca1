import { LocalgradError } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { readSafetensors, type StoredTensor, writeSafetensors } from '@localgrad/nn/serialization';
import { describe, expect, it } from 'vitest';
import { backboneParameters } from './backbone-parameters.js';
import { loadWeights, pytorchFile, readBackbone, weightsFile } from './index.js';
import { changed, largestDifference, pytorchReference, scoresOf, tinyResNet } from './weights.fixture.js';

const { stateDict, images, logits } = pytorchReference();
const zeros = (shape: readonly number[]): StoredTensor => ({
  dtype: 'F32',
  shape,
  data: new Float32Array(shape.reduce((product, extent) => product * extent, 1)),
});

function thrownBy(act: () => unknown): LocalgradError {
  try {
    act();
  } catch (error) {
    if (LocalgradError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe("PyTorch's state dicts", () => {
  it('yield the same class scores as in PyTorch', () => {
    const backbone = tinyResNet();
    expect(largestDifference(scoresOf(backbone, images()), logits)).toBeGreaterThan(0.1);
    const loaded = loadWeights(backbone, writeSafetensors(stateDict));
    expect(loaded).toEqual({ layout: 'pytorch', loaded: backboneParameters(backbone).size, skipped: [] });
    expect(largestDifference(scoresOf(backbone, images()), logits)).toBeLessThan(1e-5);
  });

  it('are preserved by loading and writing: names, types, order and layouts', async () => {
    const backbone = tinyResNet();
    loadWeights(backbone, writeSafetensors(stateDict));
    const written = readSafetensors(await pytorchFile(backbone)).tensors;
    const names = [...stateDict.tensors.keys()].map((name) => name.replace('module.', ''));
    expect([...written.keys()].sort()).toEqual(names.sort());
    for (const [name, tensor] of stateDict.tensors) {
      const found = written.get(name.replace('module.', ''));
      if (name.endsWith('num_batches_tracked')) expect(found).toMatchObject({ dtype: 'I64', shape: [] });
      else expect(found, name).toEqual(tensor);
    }
  });

  it('are enough to build the network', () => {
    const tensors = new Map([...stateDict.tensors].map(([name, tensor]) => [`_orig_mod.${name}`, tensor]));
    const bytes = writeSafetensors({ tensors, metadata: {} });
    const { backbone } = readBackbone(bytes, { scope: createScope(1), imageSize: [8, 8] });
    expect(backbone.config).toEqual({ backbone: 'resnet8', widths: [2, 2, 3, 4] });
    expect(largestDifference(scoresOf(backbone, images()), logits)).toBeLessThan(1e-5);
    const noNetwork = changed(stateDict, { 'module.layer2.0.conv1.weight': undefined });
    expect(() => readBackbone(noNetwork, { scope: createScope(1), where: 'x.safetensors' })).toThrow(
      /x\.safetensors: not the state dict of a ResNet.*has 1, 0, 1, 0/,
    );
  });

  it.each(['model.', 'net.', 'student.backbone.'])(
    'can have the prefix %s, also inside the wrapper of an averaged model',
    (prefix) => {
      const tensors = new Map(
        [...stateDict.tensors].map(([name, tensor]) => [name.replace('module.', prefix), tensor]),
      );
      tensors.set('criterion.weight', zeros([5]));
      const bytes = writeSafetensors({ tensors, metadata: {} });
      const backbone = tinyResNet();
      expect(loadWeights(backbone, bytes)).toMatchObject({ prefix, skipped: ['criterion.weight'] });
      expect(largestDifference(scoresOf(backbone, images()), logits)).toBeLessThan(1e-5);
      const read = readBackbone(bytes, { scope: createScope(1), imageSize: [8, 8] });
      expect(read.prefix).toBe(prefix);
      expect(largestDifference(scoresOf(read.backbone, images()), logits)).toBeLessThan(1e-5);
    },
  );

  it('of torch.optim.swa_utils.AveragedModel are read without their counter', () => {
    const bytes = changed(stateDict, { n_averaged: zeros([]) });
    expect(loadWeights(tinyResNet(), bytes)).toMatchObject({ skipped: ['n_averaged'] });
  });

  it('with two networks (weights and their moving average) are rejected with a command that keeps one', () => {
    const copies = ['model.', 'ema_model.'].flatMap((prefix) =>
      [...stateDict.tensors].map(([name, tensor]) => [name.replace('module.', prefix), tensor] as const),
    );
    const bytes = writeSafetensors({ tensors: new Map(copies), metadata: {} });
    const message =
      /contains the network 2 times, with the prefixes 'model\.' and 'ema_model\.'\. Keep one of them: python -c/;
    expect(() => loadWeights(tinyResNet(), bytes)).toThrow(message);
    expect(() => readBackbone(bytes, { scope: createScope(1) })).toThrow(message);
  });

  it('with a duplicate tensor are rejected with both names', () => {
    const bytes = changed(stateDict, { '_orig_mod.fc.bias': zeros([5]) });
    expect(() => loadWeights(tinyResNet(), bytes)).toThrow(
      /duplicate 'fc\.bias': it also appears as '_orig_mod\.fc\.bias'/,
    );
  });

  it('can contain auxiliary networks, which are skipped, and the classifier of MLAAN', () => {
    const { tensors } = stateDict;
    const bytes = changed(stateDict, {
      'module.aux_classifier_1_0.head.0.weight': zeros([1]),
      'module.Aug_Net.0.0.conv1.weight': zeros([1]),
      'module.fc.bias': undefined,
      'module.fc64.bias': tensors.get('module.fc.bias'),
    });
    const backbone = tinyResNet();
    const { skipped } = loadWeights(backbone, bytes);
    expect(skipped).toEqual(['module.aux_classifier_1_0.head.0.weight', 'module.Aug_Net.0.0.conv1.weight']);
    expect(largestDifference(scoresOf(backbone, images()), logits)).toBeLessThan(1e-5);
  });

  it('of a network with other names are listed beside the missing ones', () => {
    const renamed = [...stateDict.tensors].map(([name, tensor]) => [name.replace('layer', 'stage'), tensor] as const);
    const bytes = writeSafetensors({ tensors: new Map(renamed), metadata: {} });
    expect(() => loadWeights(tinyResNet(), bytes)).toThrow(
      /missing 'layer1\.0\.conv1\.weight' .*; and \d+ more; unexpected 'stage1\.0\./,
    );
  });

  it('for other classes are reported with the way to load the rest', () => {
    const bytes = changed(stateDict, { 'module.fc.weight': zeros([7, 4]), 'module.fc.bias': zeros([7]) });
    expect(() => loadWeights(tinyResNet(), bytes)).toThrow(/\[7\] instead of .*part 'blocks' loads .*--initial-part/);
    expect(loadWeights(tinyResNet(), bytes, 'x', { part: 'blocks' }).untouched).toContain('classifier');
  });

  it('that do not match are reported in one error, and change nothing', () => {
    const backbone = tinyResNet();
    const before = scoresOf(backbone, images());
    const bytes = changed(stateDict, {
      'module.bn1.bias': undefined,
      'module.fc.weight': zeros([7, 4]),
      'module.layer4.0.conv1.weight': zeros([1, 2]),
      'module.elsewhere.num_batches_tracked': zeros([]),
      'module.layer1.0.bn1.weight': { dtype: 'I32', shape: [2], data: Int32Array.of(1, 1) },
    });
    const { code, message, details } = thrownBy(() => loadWeights(backbone, bytes, 'x.safetensors'));
    expect(code).toBe('shape-mismatch');
    expect(details.problems).toHaveLength(5);
    expect(message).toContain('x.safetensors');
    expect(message).toContain("missing 'bn1.bias' [2]");
    expect(message).toContain("'fc.weight' has shape [7, 4] instead of [5, 4]");
    expect(message).toContain("unexpected 'layer4.0.conv1.weight' [1, 2]");
    expect(message).toContain("unexpected 'elsewhere.num_batches_tracked'");
    expect(message).toContain("'layer1.0.bn1.weight' has type I32; expected a float type");
    expect(scoresOf(backbone, images())).toEqual(before);
  });
});

describe('our own weights files', () => {
  it('describe their backbone, and are restored bit-identically', async () => {
    const backbone = tinyResNet(3);
    const normalization = { mean: [0.1, 0.2, 0.3], deviation: [1, 2, 3] };
    const classNames = ['cat', 'dog', 'bird', 'ship', 'Größe'];
    const bytes = await weightsFile(backbone, { normalization, classNames });
    const read = readBackbone(bytes, { scope: createScope(9) });
    expect(read.layout).toBe('localgrad');
    expect(read.description).toEqual({
      backbone: { backbone: 'resnet8', widths: [2, 2, 3, 4] },
      inputShape: [8, 8, 3],
      classes: 5,
      normalization,
      classNames,
    });
    expect(scoresOf(read.backbone, images())).toEqual(scoresOf(backbone, images()));
  });

  it("reads the description's older key 'normalisation'", async () => {
    const normalization = { mean: [0.1, 0.2, 0.3], deviation: [1, 2, 3] };
    const { tensors, metadata } = readSafetensors(await weightsFile(tinyResNet(3), { normalization }));
    const localgrad = metadata.localgrad?.replace('normalization', 'normalisation') ?? '';
    const { description } = readBackbone(writeSafetensors({ tensors, metadata: { localgrad } }), {
      scope: createScope(9),
    });
    expect(description?.normalization).toEqual(normalization);
    expect(description).not.toHaveProperty('normalisation');
  });

  it('are recognized by their shapes without a description', async () => {
    const backbone = tinyResNet(3);
    const { tensors } = readSafetensors(await weightsFile(backbone));
    const other = tinyResNet(4);
    expect(loadWeights(other, writeSafetensors({ tensors, metadata: {} })).layout).toBe('localgrad');
    expect(scoresOf(other, images())).toEqual(scoresOf(backbone, images()));
  });

  it('are rejected for invalid descriptions', async () => {
    const { tensors } = readSafetensors(await weightsFile(tinyResNet()));
    const withText = (localgrad: string) => () =>
      loadWeights(tinyResNet(), writeSafetensors({ tensors, metadata: { localgrad } }), 'x.safetensors');
    expect(withText('{')).toThrow(/x\.safetensors: its metadata 'localgrad' is not JSON/);
    expect(withText('null')).toThrow(/has no backbone/);
    expect(withText('{"backbone":{"backbone":"resnet8"},"inputShape":[8,8]}')).toThrow(/has inputShape \[8,8\]/);
    expect(
      withText('{"backbone":{"backbone":"resnet8"},"inputShape":[8,8,3],"classes":5,"normalization":{"mean":1}}'),
    ).toThrow(/has normalization {"mean":1}/);
    expect(
      withText('{"backbone":{"backbone":"resnet8"},"inputShape":[8,8,3],"classes":5,"classNames":["cat","dog"]}'),
    ).toThrow(/has classNames \["cat","dog"\]; expected a name for each of its 5 classes/);
  });

  it.each([
    ['classes: 2147483648', { classes: 2147483648 }, /has classes 2147483648; expected an integer from 1 to 1000000/],
    ['many classes', { classes: 1_000_000 }, /description does not match its tensors/],
    ['a deep network', { backbone: { backbone: 'resnet1994' } }, /description does not match its tensors/],
    [
      'widths of 100,000',
      { backbone: { backbone: 'resnet8', widths: [2, 2, 3, 100_000] } },
      /^x\.safetensors: its metadata 'localgrad' describes no network: cifarResNet: .*allowed: positive integers/,
    ],
    [
      'an unknown network',
      { backbone: { backbone: 'constructor' } },
      /^x\.safetensors: its metadata 'localgrad' describes no network: Unknown backbone 'constructor'.* For a backbone of your own, pass 'factoryOf'/,
    ],
    ['a wide network', { backbone: { backbone: 'resnet8', width: 4096 } }, /description does not match its tensors/],
    ['wide images', { inputShape: [8, 8, 16_384] }, /description does not match its tensors/],
  ])('are compared with the number of values before a network is built: %s', async (_, change, message) => {
    const { tensors } = readSafetensors(await weightsFile(tinyResNet()));
    const localgrad = JSON.stringify({
      backbone: { backbone: 'resnet8' },
      inputShape: [8, 8, 3],
      classes: 5,
      ...change,
    });
    const scope = createScope(1);
    const bytes = writeSafetensors({ tensors, metadata: { localgrad } });
    expect(() => readBackbone(bytes, { scope, where: 'x.safetensors' })).toThrow(message);
    const made = [...scope.all().values()].reduce((sum, { size }) => sum + size, 0);
    expect(made).toBeLessThan(2_000_000);
  });
});
