import { registerTrainingKernels, resetTrainingKernels } from '@localgrad/nn';
import type { BackendDescriptor } from '../descriptor.js';
import { cpuName, freeMemoryBytes, residentMemory } from '../environment.js';
import { explainAbsence, judge } from './diagnose.js';
import { createTensorflowKernels } from './kernels/index.js';
import { loadPackage, tryPackage } from './load.js';
import { nvidiaGpus, processGpuBytes } from './nvidia.js';

const isNode = typeof process === 'object' && process.versions?.node !== undefined;

function native(name: string, packageName: string, wantsGpu: boolean, description: string): BackendDescriptor {
  return {
    name,
    description,
    automatic: true,
    async probe() {
      if (!isNode) return { available: false, reason: 'Runs in Node only.', device: '', hardware: false };
      const gpus = wantsGpu ? await nvidiaGpus() : [];
      const device = wantsGpu ? (gpus[0]?.name ?? '') : await cpuName();
      const trial = await tryPackage(packageName);
      const verdict =
        trial === undefined ? explainAbsence(packageName, wantsGpu, gpus) : judge(packageName, trial, wantsGpu, gpus);
      return { device, hardware: true, ...verdict };
    },
    async start({ threads = 'auto' }) {
      const backend = await loadPackage(packageName, threads);
      registerTrainingKernels('tensorflow', createTensorflowKernels(backend));
      const [gpu] = wantsGpu ? await nvidiaGpus() : [];
      const device = gpu?.name ?? (await cpuName());
      return {
        threads: Number(process.env.TF_NUM_INTRAOP_THREADS),
        device,
        hardware: true,
        facts: {
          tensorflow: backend.binding.TF_Version,
          gpu: backend.isUsingGpuDevice,
          ...(gpu === undefined ? {} : { driver: gpu.driver }),
        },
        availableBytes: gpu === undefined ? await freeMemoryBytes() : () => gpu.memoryBytes,
        async memoryInUse() {
          const bytes = wantsGpu ? await processGpuBytes(process.pid) : undefined;
          return bytes === undefined ? residentMemory() : { bytes, method: 'nvidia-smi, this process' };
        },
        dispose: () => resetTrainingKernels('tensorflow'),
      };
    },
  };
}

export const tensorflow = native(
  'tensorflow',
  '@tensorflow/tfjs-node',
  false,
  'native TensorFlow on the processor: the fastest without a GPU',
);

export const tensorflowGpu = native(
  'tensorflow-gpu',
  '@tensorflow/tfjs-node-gpu',
  true,
  'native TensorFlow on an NVIDIA GPU with CUDA',
);
