import { describe, expect, it } from 'vitest';
import { explainAbsence, explainFailure, judge } from './diagnose.js';
import { parseGpu } from './nvidia.js';

const failed = (message: string, signal?: string) => ({ works: false as const, message, signal });
const name = '@tensorflow/tfjs-node';

describe('why native TensorFlow does not work', () => {
  it.each([
    ['The Node.js native addon module (tfjs_binding.node) can not be found at path: /x', /install script did not run/],
    ['libtensorflow.so.2: cannot open shared object file: No such file', /does not find libtensorflow\.so\.2/],
    ['libcudart.so.11.0: cannot open shared object file: No such file', /libcudart\.so\.11\.0 is missing.*CUDA 11\.2/],
    ["/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by y)", /GLIBCXX_3\.4\.32 is missing/],
    ['util_1.isNullOrUndefined is not a function', /Node 23 removed/],
    ['something else\nat line', /cannot be loaded: something else$/],
  ])('%s', (message, reason) => {
    const verdict = explainFailure(name, failed(message));
    expect(verdict).toMatchObject({ available: false, reason: expect.stringMatching(reason) });
    expect(verdict.howToGetIt).toBeTruthy();
  });

  it('reports a crash, and explains an illegal instruction', () => {
    expect(explainFailure(name, failed('', 'SIGILL')).reason).toMatch(/SIGILL.*lacks instructions/);
    expect(explainFailure(name, failed('', 'SIGSEGV')).reason).toMatch(/SIGSEGV/);
  });

  it('recommends webgpu for GPUs that are too new for CUDA 11.2', () => {
    const gpu = parseGpu('NVIDIA H100 80GB HBM3, 550.54.15, 9.0, 81559');
    expect(gpu).toEqual({
      name: 'NVIDIA H100 80GB HBM3',
      driver: '550.54.15',
      computeCapability: 9,
      memoryBytes: 81559 * 2 ** 20,
    });
    const works = { works: true as const, tensorflow: '2.9.1', gpu: false };
    expect(judge('gpu', works, true, [gpu])).toMatchObject({
      available: false,
      howToGetIt: expect.stringMatching(/webgpu/),
    });
    expect(explainAbsence('gpu', true, [gpu]).howToGetIt).toMatch(/webgpu/);
    const older = { ...gpu, computeCapability: 7.5 };
    expect(explainAbsence('gpu', true, [older]).howToGetIt).toMatch(/npm install gpu.*CUDA 11\.2 and cuDNN 8\.1/);
    expect(judge('gpu', works, true, [older]).howToGetIt).toMatch(/driver/);
    expect(judge('gpu', { ...works, gpu: true }, true, [older]).available).toBe(true);
  });

  it('does not require a GPU for the processor backend', () => {
    expect(explainAbsence(name, false, []).howToGetIt).toMatch(/setup tensorflow/);
    expect(explainAbsence(name, true, []).reason).toMatch(/No NVIDIA driver/);
    expect(judge(name, { works: true, tensorflow: '2.15.0', gpu: false }, false, []).available).toBe(true);
  });
});
