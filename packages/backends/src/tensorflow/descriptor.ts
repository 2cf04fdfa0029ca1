import type { BackendDescriptor } from '../descriptor.js';
import { cpuName, freeMemoryBytes, residentMemory } from '../environment.js';
import { entryOf } from '../optional-module.js';
import { explainAbsence, judge } from './diagnose.js';
import { nvidiaGpus, processGpuBytes } from './nvidia.js';
import { tryPackage } from './try-package.js';

const isNode = typeof process === 'object' && process.versions?.node !== undefined;

function native(name: string, packageName: string, wantsGpu: boolean, description: string): BackendDescriptor {
  return {
    name,
    description,
    automatic: true,
    async probe() {
      if (!isNode) return { available: false, reason: 'Available in Node only.', device: '', hardware: false };
      const gpus = wantsGpu ? await nvidiaGpus() : [];
      const device = wantsGpu ? (gpus[0]?.name ?? '') : await cpuName();
      const trial = await tryPackage(packageName);
      const verdict =
        trial === undefined ? explainAbsence(packageName, wantsGpu, gpus) : judge(packageName, trial, wantsGpu, gpus);
      return { device, hardware: true, ...verdict };
    },
    async start({ threads = 'auto' }) {
      const { startTensorflow } = await import('@localgrad/tensorflow-kernels');
      const { facts, dispose } = await startTensorflow({
        module: (await entryOf(packageName)) ?? packageName,
        threads,
      });
      const [gpu] = wantsGpu ? await nvidiaGpus() : [];
      return {
        threads: facts.threads,
        device: gpu?.name ?? (await cpuName()),
        hardware: true,
        facts: {
          tensorflow: facts.tensorflow,
          gpu: facts.gpu,
          ...(gpu === undefined ? {} : { driver: gpu.driver }),
        },
        availableBytes: gpu === undefined ? await freeMemoryBytes() : () => gpu.memoryBytes,
        async memoryInUse() {
          const bytes = wantsGpu ? await processGpuBytes(process.pid) : undefined;
          return bytes === undefined ? residentMemory() : { bytes, method: 'nvidia-smi, this process' };
        },
        dispose,
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
