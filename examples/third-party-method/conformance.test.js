import { selectBackend } from '@localgrad/backends';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { describeMethod } from '@localgrad/testing';
import prototypes from './index.js';

await selectBackend('wasm');

describeMethod('prototypes', () => prototypes({ temperature: 0.2 }), {
  fromConfig: ({ method: _, ...options }) => prototypes(options),
  decorators: { mlm: withMlm(), lam: withLam() },
});
