import { selectBackend } from '@localgrad/backends';
import { currentKernels } from '@localgrad/kernels';
import { describeTrainingKernels } from '@localgrad/testing';

/** Set by `npm run test:backend -- NAME`. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const start = (relaxedSimd: boolean) => async () => {
  const backend = await selectBackend(name, { relaxedSimd });
  return { kernels: currentKernels(), dispose: () => backend.dispose() };
};

describeTrainingKernels(`of ${name}`, start(true), { timeout: 300_000 });
if (name === 'wasm') describeTrainingKernels('of wasm without relaxed SIMD', start(false), { timeout: 300_000 });
