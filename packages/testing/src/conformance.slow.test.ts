import { auglocal } from '@localgrad/auglocal';
import { cifarResNet, mlp } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { withDeepSupervision } from '@localgrad/deep-supervision';
import { dgl } from '@localgrad/dgl';
import { dni } from '@localgrad/dni';
import { greedy } from '@localgrad/greedy';
import { hpff } from '@localgrad/hpff';
import { infopro } from '@localgrad/infopro';
import { withLam } from '@localgrad/lam';
import { withLeanMlaan } from '@localgrad/lean-mlaan';
import { withMan } from '@localgrad/man';
import { withMlaan } from '@localgrad/mlaan';
import { withMlm } from '@localgrad/mlm';
import { monoForward } from '@localgrad/mono-forward';
import { adam } from '@localgrad/nn/optimizers';
import { withPff } from '@localgrad/pff';
import { predsim } from '@localgrad/predsim';
import { withSequential } from '@localgrad/sequential';
import { describeBackbone, describeDecorator, describeMethod } from './index.js';

// The suites run on the backend that is set; on plain JavaScript they take minutes.
await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

const decorators = { mlm: withMlm(), lam: withLam(), 'mlm and lam': withMlaan() };

// End-to-end training needs what end-to-end training needs, and has no heads for chains.
describeMethod('backprop', backprop, { decorators: { mlm: withMlm() }, savesMemory: false });
describeMethod('greedy', greedy, { decorators });
describeMethod('dgl', () => dgl({ head: '1c2f', featureDimension: 8 }), { decorators });
describeMethod('infopro', () => infopro({ featureDimension: 8 }), { decorators });
describeMethod(
  'infopro of features',
  () => infopro({ featureDimension: 8, reconstruct: 'input', ixx1: 0.5, ixy1: 0.5 }),
  { decorators },
);
describeMethod('auglocal', auglocal, { decorators });
describeMethod('hpff', () => hpff({ featureDimension: 8 }), { decorators });
// Batches of the trials are small, and a local classifier of zeros has no gradient for the features at first.
describeMethod('predsim', () => predsim({ decoderStart: 'uniform', decoderInputs: 64, finalWeight: 1 }), {
  decorators,
});
describeMethod('pred', () => predsim({ loss: 'pred', decoderStart: 'uniform' }), { decorators });
describeMethod('sim', () => predsim({ loss: 'sim' }), { decorators });
describeMethod('mono-forward', monoForward, { decorators });
// Gradients of windows would pass synthetic ones by, and chains cannot synthesize. With SGD, synthesizers diverge, here as in DGL's code.
const synthetic = { optimizer: () => adam({ learningRate: 0.003 }) };
describeMethod('dni', () => dni({ kernelSize: 3 }), synthetic);
describeMethod('dni with labels', () => dni({ hidden: 1, kernelSize: 3, conditional: true }), synthetic);

describeDecorator('mlm', () => withMlm({ window: 3, independentWeight: 0.5, cascadeWeight: 0.5 }), { decorators });
// Heads that have a leap chain get no second one.
describeDecorator('lam', withLam, { decorators: { mlm: withMlm() } });
describeDecorator('lam, lean', () => withLam({ chainPool: 2, emaBlocks: 'none', share: 'stage' }), {
  decorators: { mlm: withMlm() },
});
describeDecorator(
  'lam, shared averages',
  () => withLam({ share: 'stage', shareScale: 'sum', part: 'classification' }),
  {
    decorators: { mlm: withMlm() },
  },
);
describeDecorator('sequential', withSequential, {
  decorators: { mlm: withMlm(), lam: withLam() },
  replaces: { phases: 'The phases are those of the decorator; hosts with phases are rejected.' },
  steps: 160,
});
describeDecorator('man', withMan, { decorators: { mlm: withMlm() } });
describeDecorator('pff', withPff, { decorators: { mlm: withMlm(), lam: withLam() } });
describeDecorator(
  'pff, separate networks',
  () => withPff({ networks: 'separate', reduction: 'sum', part: 'classification' }),
  { decorators: { mlm: withMlm() } },
);
describeDecorator('mlaan', withMlaan, { decorators: { mlm: withMlm() } });

describeDecorator('lean-mlaan', withLeanMlaan, { decorators: { mlm: withMlm() } });

describeDecorator('deep-supervision', () => withDeepSupervision({ after: 0, weight: 0.5 }), {
  decorators: { mlm: withMlm(), lam: withLam() },
});

describeBackbone('cifarResNet', () => cifarResNet({ depth: 14, width: 4 }));
describeBackbone('mlp', () => mlp({ layers: 3, width: 12, activation: 'leakyRelu', dropout: 0.1 }));
