import type { BackendDescriptor } from '../descriptor.js';
import { entryOf } from '../optional-module.node.js';
import { cpuName, freeMemoryBytes, residentMemory } from '../system.node.js';
import { explainAbsence, judge } from './diagnose.js';
import { nvidiaGpus, processGpuBytes } from './nvidia.js';
import { tryPackage } from './try-package.node.js';

function native(name: string, packageName: string, wantsGpu: boolean, description: string): BackendDescriptor {
  return {
    name,
    description,
    automatic: true,
    processor: !wantsGpu,
    async probe() {
      const gpus = wantsGpu ? await nvidiaGpus() : [];
      const device = wantsGpu ? (gpus[0]?.name ?? '') : cpuName();
      const trial = await tryPackage(packageName);
      const verdict =
        trial === undefined ? explainAbsence(packageName, wantsGpu, gpus) : judge(packageName, trial, wantsGpu, gpus);
      return { device, hardware: true, ...verdict };
    },
    async start({ threads = 'auto', tf32 = false }) {
      const { startTensorflow } = await import('@localgrad/tensorflow-kernels');
      const { facts, dispose } = await startTensorflow({
        module: (await entryOf(packageName)) ?? packageName,
        threads,
        tf32,
      });
      const [gpu] = wantsGpu ? await nvidiaGpus() : [];
      return {
        threads: facts.threads,
        device: gpu?.name ?? cpuName(),
        hardware: true,
        facts: {
          tensorflow: facts.tensorflow,
          gpu: facts.gpu,
          ...(facts.tf32 === undefined ? {} : { tf32: facts.tf32 }),
          ...(facts.oneDnn === undefined ? {} : { oneDnn: facts.oneDnn }),
          ...(gpu === undefined ? {} : { driver: gpu.driver }),
        },
        availableBytes: gpu === undefined ? freeMemoryBytes : () => gpu.memoryBytes,
        async memoryInUse() {
          const bytes = wantsGpu ? await processGpuBytes(process.pid) : undefined;
          return bytes === undefined ? residentMemory() : { bytes, method: 'nvidia-smi, this process' };
        },
        dispose,
      };
    },
  };
}

export const tensorflow = native('tensorflow', '@tensorflow/tfjs-node', false, 'native TensorFlow on the processor');

export const tensorflowGpu = native(
  'tensorflow-gpu',
  '@tensorflow/tfjs-node-gpu',
  true,
  'native TensorFlow on an NVIDIA GPU with CUDA',
);
