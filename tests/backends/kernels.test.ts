import { selectBackend } from '@localgrad/backends';
import { currentKernels } from '@localgrad/kernels';
import { describeTrainingKernels } from '@localgrad/testing';

/** Set by `npm run test:backend -- NAME`. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const start = async () => {
  const backend = await selectBackend(name);
  return { kernels: currentKernels(), dispose: () => backend.dispose() };
};

describeTrainingKernels(`of ${name}`, start, { timeout: 300_000 });
