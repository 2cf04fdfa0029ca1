import { cifarResNet } from '@localgrad/backbones';
import {
  createNetwork,
  type LocalLearningMethod,
  type Network,
  type PartitionSpec,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { mlm } from '@localgrad/mlm';
import { createScope } from '@localgrad/nn/random';
import { predsim } from '@localgrad/predsim';
import { describe, expect, it } from 'vitest';
import { type PffOptions, pff, withPff } from './index.js';

function resNet14(spec: PartitionSpec): Network {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 14, width: 4 }).build({ inputShape: [16, 16, 3], classes: 10, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

const network = resNet14({ modules: 4 });
const compiled = (method: LocalLearningMethod) => compilePlan(network, method.plan(network), { scope: createScope(2) });
const shown = (method: LocalLearningMethod) =>
  method.plan(network).objectives.map(({ id, role, span, head }) => [id, role, ...span, head.key, head.factory?.name]);
const names = (method: LocalLearningMethod) => method.plan(network).objectives.map(({ head }) => head.factory?.name);

/** Numbers of trained parameters of the heads, by module. */
function headSizes(method: LocalLearningMethod): number[] {
  const heads = [...compiled(method).heads.values()].flat().filter(({ key }) => key !== 'classifier');
  return heads.map(({ head }) => head.parameters.reduce((sum, { size }) => sum + size, 0));
}

const peak = (method: LocalLearningMethod, module: number) => {
  const [{ head } = { head: undefined }] = compiled(method).heads.get(module) ?? [];
  return head?.cost?.evaluatePeakBytes(64) ?? Number.NaN;
};

describe('pff', () => {
  const host = dgl({ head: '1c2f', featureDimension: 8 });

  it('changes the heads of the host, and neither its losses nor the classifier', () => {
    expect(shown(pff(host))).toEqual([
      ['module0', 'independent', 0, 0, 'module0.patches', 'patch/2+1c2f'],
      ['module1', 'independent', 1, 1, 'module1.patches', 'patch/2+1c2f'],
      ['module2', 'independent', 2, 2, 'module2.patches', 'patch/2+1c2f'],
      ['final', 'final', 3, 3, 'classifier', undefined],
    ]);
  });

  it('has one network for all patches, which keeps the activations of one', () => {
    expect(headSizes(pff(host))).toEqual(headSizes(host));
    const separate = headSizes(pff(host, { networks: 'separate' }));
    expect(separate).toEqual(headSizes(host).map((size) => 4 * size));
    // A quarter of what decoders keep. The cotangent of the whole map, which is joined from its patches, is small beside it.
    expect(peak(pff(infopro()), 0)).toBeLessThan(0.4 * peak(infopro(), 0));
  });

  it('selects losses by role and part', () => {
    const windows = mlm(host);
    expect(names(pff(windows, { on: 'cascaded', patches: 4 }))).toEqual([
      ...[0, 1, 2].flatMap(() => ['1c2f', 'patch/4+1c2f']),
      undefined,
      undefined,
    ]);
    expect(names(pff(windows))).toEqual(names(mlm(pff(host))));
    const decoders = pff(infopro({ featureDimension: 8 }), { part: 'classification' });
    const parts = decoders.plan(network).objectives[0]?.head.factory?.terms?.map(({ factory }) => factory.name);
    expect(parts).toEqual(['decoder', '1c2f']);
    const [{ head } = { head: undefined }] = compiled(decoders).heads.get(0) ?? [];
    expect([...(head?.termWeights?.keys() ?? [])]).toEqual(['reconstruction', 'classification']);
  });

  it.each([
    ['infopro', infopro({ featureDimension: 8 })],
    ['infopro of features', infopro({ featureDimension: 8, reconstruct: 'input', ixx1: 0.5, ixy1: 0.5 })],
    ['predsim', predsim({ decoderInputs: 64 })],
  ])('reads what the heads of %s read', (_, of) => {
    expect(compiled(pff(of)).reads).toEqual(compiled(of).reads);
  });

  it('goes inside leap chains, which read whole maps', () => {
    expect(names(lam(pff(host)))[0]).toBe('leap+patch/2+1c2f');
    expect(() => pff(lam(host)).plan(network)).toThrow(
      /head 'leap\+1c2f' of module0 contains blocks of the network, from \(.*Put pff inside: lam\(pff\(dgl\)\)\.$/,
    );
    expect(() => pff({ ...lam(host), name: 'sequential(man(dgl))' }).plan(network)).toThrow(
      /Put pff inside: sequential\(man\(pff\(dgl\)\)\)\.$/,
    );
    expect(() => pff({ ...lam(host), name: 'own' }).plan(network)).toThrow(/which read whole maps\.$/);
  });

  it('is rebuilt from its config', () => {
    const options: PffOptions = {
      patches: 3,
      on: 'all',
      part: 'classification',
      networks: 'separate',
      reduction: 'sum',
    };
    expect(withPff(options)(host).config).toEqual({ decorator: 'pff', of: host.config, ...options });
  });

  it.each<[object, RegExp]>([
    [{ patches: 1 }, /'patches' is 1.*integers ≥ 2/],
    [{ patches: 1.5 }, /'patches' is 1.5/],
    [{ on: 'final' }, /'on' is 'final'.*independent, cascaded, all/],
    [{ networks: 'one' }, /'networks'.*shared, separate/],
    [{ reduction: 'max' }, /'reduction'.*mean, sum/],
    [{ share: true }, /share/],
  ])('rejects %j', (options, message) => {
    expect(() => pff(host, options)).toThrow(message);
  });

  it('reports losses that the method does not have, and maps that do not divide', () => {
    expect(() => pff(host, { on: 'cascaded' }).plan(network)).toThrow(
      /option 'on' is 'cascaded'.*no such losses; allowed: independent, all/,
    );
    expect(() => compiled(pff(host, { patches: 3 }))).toThrow(
      /the map 16×16×4 is not divisible.*1, 2, 4, 8, 16 patches/,
    );
  });
});
