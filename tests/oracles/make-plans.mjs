// Writes fixtures/plans.safetensors: spans and sizes of auxiliary networks in the methods' published code, counted with
// PyTorch (docs/methods). No tensors. Usage: node tests/oracles/make-plans.mjs
import { writeFileSync } from 'node:fs';

const perStage = { resnet32: 5, resnet110: 18 };

/** The stem and every block, each a module. */
function everyLayer(backbone) {
  const stages = [1, 2, 3].flatMap((stage) => Array.from({ length: perStage[backbone] }, (_, index) => [stage, index]));
  return [[0, 0], ...stages];
}

/** Parameters of the auxiliary network of layer 0, and of all, at depth 1 to 6 (docs/methods/auglocal.md §5). */
const augLocal = {
  resnet32: [
    [48266, 806412],
    [72906, 1341058],
    [77578, 1511608],
    [151562, 1705390],
    [170122, 1684388],
    [174794, 1727898],
  ],
  resnet110: [
    [48266, 3166354],
    [72906, 5941576],
    [77578, 7240702],
    [151562, 9044468],
    [170122, 10279466],
    [174794, 12466400],
  ],
};

/** Trained parameters of MAN on ResNet-32 with 8 and 15 modules (docs/methods/man.md §5). */
const manHost = 'infopro(head: 2c2f, ixx1: 5, ixy1: 0.5, ixx2: 0, ixy2: 0, lambdaIndex: nextStage)';
const momentumNetworks = [
  [8, '1,0 1,2 1,4 2,1 2,3 3,0 3,2 3,4', 1107661],
  [15, '1,0 1,1 1,2 1,3 1,4 2,0 2,1 2,2 2,3 2,4 3,0 3,1 3,2 3,3 3,4', 1813504],
].map(([modules, cuts, trainedParameters]) => ({
  case: `man/resnet32_k${modules}`,
  kind: 'plan',
  source: 'MAN, official code',
  network: {
    backbone: 'resnet32',
    imageShape: [32, 32, 3],
    classes: 10,
    lastBlocks: cuts.split(' ').map((cut) => cut.split(',').map(Number)),
  },
  method: `man(${manHost}, scale: none)`,
  expected: { trainedParameters },
}));

const augmentedNetworks = Object.entries(augLocal).flatMap(([backbone, rows]) =>
  rows.map(([first, all], index) => {
    const depth = index + 1;
    const lastBlocks = everyLayer(backbone);
    const last = lastBlocks.length - 1;
    return {
      case: `auglocal/${backbone}_d${depth}`,
      kind: 'plan',
      source: 'AugLocal, official code',
      network: { backbone, imageShape: [32, 32, 3], classes: 10, lastBlocks },
      method: `auglocal(depth: ${depth})`,
      expected: {
        spans: {
          module0: [0, 0],
          [`module${last - depth - 1}`]: [last - depth - 1, last - depth - 1],
          final: [last - depth, last],
        },
        headParameters: { module0: first },
        allHeadParameters: all,
      },
    };
  }),
);

const cases = [...augmentedNetworks, ...momentumNetworks];
const metadata = { format: 'localgrad-reference', version: '1', cases: JSON.stringify(cases) };
const header = Buffer.from(JSON.stringify({ __metadata__: metadata }));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));
writeFileSync(new URL('fixtures/plans.safetensors', import.meta.url), Buffer.concat([length, header]));
console.log(`plans.safetensors: ${cases.length} cases`);
