import { selectBackend } from '@localgrad/backends';
import { currentKernels } from '@localgrad/kernels';
import { describeTrainingKernels } from '@localgrad/testing';

/** Set by `npm run test:backend -- NAME`. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const start = (relaxedSimd: boolean) => async () => {
  const backend = await selectBackend(name, { relaxedSimd });
  return { kernels: currentKernels(), dispose: () => backend.dispose() };
};

// In float32, TensorFlow's 1 − 0.999 is 1.3e-5 smaller than 0.001: so are Adam's second moments.
const tolerance = name.startsWith('tensorflow') ? 1.4e-5 : 1e-5;

describeTrainingKernels(`of ${name}`, start(true), { timeout: 300_000, tolerance });
if (name === 'wasm') describeTrainingKernels('of wasm without relaxed SIMD', start(false), { timeout: 300_000 });
