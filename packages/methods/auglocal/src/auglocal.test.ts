import { cifarResNet, vgg } from '@localgrad/backbones';
import {
  type Backbone,
  type BackboneBlock,
  type Block,
  createNetwork,
  type Head,
  type HeadContext,
  type LocalLearningMethod,
  type Network,
  type ParameterScope,
  type PartitionSpec,
  resolvePartition,
  type Shape3,
  validatePlan,
} from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { bottleneck, convBatchNormRelu } from '@localgrad/nn/blocks';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type AugLocalOptions, auglocal } from './index.js';

function resNet(depth: number, spec: PartitionSpec, width = 16): Network {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth, width }).build({ inputShape: [32, 32, 3], classes: 10, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

/** The heads of all modules with a local loss. */
function localHeads(network: Network, method: LocalLearningMethod): Head[] {
  const compiled = compilePlan(network, method.plan(network), { scope: createScope(2) });
  const heads = [...compiled.heads.values()].flat().map(({ head }) => head);
  return heads.filter((head) => head !== network.backbone.classifier);
}

/** Number of parameters of each of these heads. */
function headSizes(network: Network, method: LocalLearningMethod): number[] {
  return localHeads(network, method).map(({ parameters }) => sum(parameters.map(({ size }) => size)));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('auglocal', () => {
  const everyLayer = resNet(32, { modules: 16 });

  it('trains each layer separately, and the last depth + 1 layers together', () => {
    const plan = auglocal({ depth: 3 }).plan(everyLayer);
    validatePlan(plan, 16);
    expect(plan.objectives.map(({ span }) => span)).toEqual([
      ...Array.from({ length: 12 }, (_, module) => [module, module]),
      [12, 15],
    ]);
    expect(plan.objectives.at(-1)).toMatchObject({ role: 'final', head: { key: 'classifier' } });
    expect(plan.objectives[0]?.head.factory?.name).toBe('auglocal (1,4) (2,4) (3,4)');
  });

  it.each([
    [32, 16, 1, 48_266, 806_412],
    [32, 16, 2, 72_906, 1_341_058],
    [32, 16, 3, 77_578, 1_511_608],
    [32, 16, 4, 151_562, 1_705_390],
    [32, 16, 5, 170_122, 1_684_388],
    [32, 16, 6, 174_794, 1_727_898],
    [110, 55, 1, 48_266, 3_166_354],
  ])(
    'resnet%i, %i modules, depth %i: has the parameters of the published code',
    (layers, modules, depth, ...golden) => {
      const network = layers === 32 ? everyLayer : resNet(layers, { modules });
      const sizes = headSizes(network, auglocal({ depth }));
      expect([sizes[0], sum(sizes)]).toEqual(golden);
    },
    60_000,
  );

  it('costs 1.52 forward passes of ResNet-32 at depth 1 and 2 (docs/methods/auglocal.md §5)', () => {
    const { blocks, classifier } = everyLayer.backbone;
    const backbone = sum([...blocks.map(({ block }) => block), classifier].map(multiplyAccumulatesOf));
    for (const depth of [1, 2]) {
      const heads = sum(localHeads(everyLayer, auglocal({ depth })).map(multiplyAccumulatesOf));
      expect(heads / backbone, `depth ${depth}`).toBeCloseTo(1.52, 2);
    }
  });

  it('trains modules of several layers with the same selection after their last layer', () => {
    const network = resNet(32, { modules: 8 });
    const { objectives } = auglocal({ depth: 2 }).plan(network);
    // Blocks per module 2 2 2 2 2 2 2 2: the last two modules have the last four layers.
    expect(objectives.at(-1)?.span).toEqual([6, 7]);
    expect(objectives.slice(0, -1).map(({ head }) => head.factory?.name)).toEqual([
      ...['(2,2)', '(2,3)', '(2,4)', '(3,0)', '(3,1)', '(3,2)'].map((block) => `auglocal ${block} (3,4)`),
    ]);
  });

  it('form imagenet gives every module but the last a network of the same depth, without batch norm before the end', () => {
    const { objectives } = auglocal({ depth: 2, form: 'imagenet' }).plan(everyLayer);
    expect(objectives).toHaveLength(16);
    expect(objectives.at(-1)?.span).toEqual([15, 15]);
    const [first] = headSizes(everyLayer, auglocal({ depth: 1, form: 'imagenet' }));
    // The block of 16 → 64 channels with its projection, and the dense layer: 128 less than with batch norm.
    expect(first).toBe(48_266 - 128);
  });

  it('is backpropagation for a single module', () => {
    const { objectives } = auglocal().plan(resNet(8, { modules: 1 }));
    expect(objectives.map(({ role, span }) => [role, ...span])).toEqual([['final', 0, 0]]);
  });

  /** Builds the head on a module, behind blocks that change its input to `inputShape`. */
  const shapesOf = (network: Network, module: number, inputShape: Shape3, options: AugLocalOptions) => {
    const { head } = auglocal(options).plan(network).objectives[module] ?? {};
    const scope = createScope(3);
    const context = { module, modules: network.modules.length, inputShape, classes: 10 };
    head?.factory?.build(context as HeadContext, scope);
    return [...scope.all()].filter(([name]) => /conv\d\.weight/.test(name)).map(([, { shape }]) => shape.slice(2));
  };

  it('builds blocks of the published widths: one stride of 2 per block, carried over to the next', () => {
    const widths = (module: number) => shapesOf(everyLayer, module, [32, 32, 16], { depth: 3 });
    expect(widths(0)).toEqual([
      [16, 16],
      [16, 16],
      [16, 32],
      [32, 32],
      [32, 64],
      [64, 64],
    ]);
    expect(shapesOf(everyLayer, 3, [32, 32, 16], { depth: 3 })).toEqual([
      [16, 32],
      [32, 32],
      [32, 64],
      [64, 64],
      [64, 64],
      [64, 64],
    ]);
  });

  it('never narrows the input that a decorator passes to it', () => {
    expect(shapesOf(everyLayer, 0, [8, 8, 64], { depth: 3 })).toEqual(Array.from({ length: 6 }, () => [64, 64]));
  });

  it('imitates Bottleneck blocks by Bottleneck blocks, and blocks of one geometry by BasicBlocks', () => {
    const line = (make: (before: Block, index: number, scope: ParameterScope) => Block) => {
      const scope = createScope(4);
      const stem = convBatchNormRelu({ name: 'stem', scope, inputShape: [16, 16, 3], channels: 4 });
      const blocks: BackboneBlock[] = [{ reference: [0, 0], block: stem }];
      for (let index = 0; index < 5; index++) {
        const block = make(blocks.at(-1)?.block ?? stem, index, scope.scope(`block${index}`));
        blocks.push({ reference: [1, index], block });
      }
      const inputShape = blocks.at(-1)?.block.outputShape ?? stem.outputShape;
      const classifier = createClassifier({ scope, inputShape, classes: 10 });
      const backbone: Backbone = { name: 'line', config: {}, inputShape: [16, 16, 3], classes: 10, blocks, classifier };
      return createNetwork(backbone, [1, 1, 1, 1, 1, 1]);
    };
    const bottlenecks = line(({ outputShape: inputShape }, index, scope) =>
      bottleneck({
        name: `block${index}`,
        scope,
        inputShape,
        channels: index < 3 ? 16 : 32,
        width: index < 3 ? 8 : 16,
        stride: index === 3 ? 2 : 1,
      }),
    );
    expect(shapesOf(bottlenecks, 0, [16, 16, 4], { depth: 2 })).toEqual([
      [4, 8],
      [8, 8],
      [8, 16],
      [16, 16],
      [16, 16],
      [16, 32],
    ]);
    const plain = line(({ outputShape: inputShape }, index, scope) =>
      convBatchNormRelu({ name: `conv${index}`, scope, inputShape, channels: 4 }),
    );
    expect(shapesOf(plain, 0, [16, 16, 4], { depth: 2 })).toEqual(Array.from({ length: 4 }, () => [4, 4]));
  });

  it('imitates VGG by convolutions of the selected widths, pooled where the width changes, and three dense layers', () => {
    const backbone = vgg({ depth: 13, width: 4, hidden: 8 }).build({
      inputShape: [32, 32, 3],
      classes: 10,
      scope: createScope(1),
    });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 10 }));
    const heads = localHeads(network, auglocal({ depth: 3, layers: 'vgg' }));
    const shapes = heads.map(({ parameters }) =>
      parameters.filter(({ shape }) => shape.length !== 1).map(({ shape }) => shape.slice(-2).join('→')),
    );
    // Layers 3, 6, 9 of widths 8, 16, 32 after layer 0 of width 4.
    expect(heads[0]?.name).toBe('auglocal (2,1) (4,0) (5,1)');
    expect(shapes[0]).toEqual(['4→8', '8→32', '32→32', '32→32', '32→32', '32→10']);
    expect(shapes.at(-1)?.slice(0, 2)).toEqual(['16→32', '32→32']);
    expect(heads.length).toBe(6);
  });

  it('is rebuilt from its config', () => {
    expect(auglocal().config).toEqual({ method: 'auglocal' });
    const options: AugLocalOptions = { depth: 4, pyramid: 0.25, form: 'imagenet' };
    const { method, ...rest } = JSON.parse(JSON.stringify(auglocal(options).config)) as { method: string };
    expect([method, auglocal(rest).config]).toEqual(['auglocal', { method: 'auglocal', ...options }]);
  });

  it.each<[object, RegExp]>([
    [{ depth: 0 }, /depth.*integers ≥ 1/],
    [{ pyramid: 2 }, /pyramid.*0 to 1/],
    [{ form: 'vgg' }, /cifar, imagenet/],
    [{ layers: 'dense' }, /residual, vgg/],
    [{ dept: 2 }, /Did you mean 'depth'/],
  ])('rejects %j', (options, message) => {
    expect(() => auglocal(options)).toThrow(message);
  });

  it('reports a depth that leaves no local module', () => {
    expect(() => auglocal({ depth: 15 }).plan(everyLayer)).toThrow(/depth 15.*resnet32 has 16 layers in 16 modules/);
    expect(() => auglocal({ depth: 8 }).plan(resNet(32, { modules: 2 }))).toThrow(/smaller depth/);
  });
});
