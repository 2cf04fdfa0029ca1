import { describe, expect, it } from 'vitest';
import { gpuBuildOf } from './build.js';
import { explainAbsence, explainFailure, judge } from './diagnose.js';
import { parseGpu } from './nvidia.js';

const failed = (message: string, signal?: string) => ({ works: false as const, message, signal });
const name = '@tensorflow/tfjs-node';

describe('why native TensorFlow does not work', () => {
  it.each([
    ['The Node.js native addon module (tfjs_binding.node) can not be found at path: /x', /install script did not run/],
    ['libtensorflow.so.2: cannot open shared object file: No such file', /does not find libtensorflow\.so\.2/],
    [
      'libcudart.so.11.0: cannot open shared object file: No such file',
      /libcudart\.so\.11\.0 is missing.*version of CUDA/,
    ],
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

  const gpu = parseGpu('NVIDIA H100 80GB HBM3, 550.54.15, 9.0, 81559');
  const gpuName = '@tensorflow/tfjs-node-gpu';
  const works = { works: true as const, tensorflow: '2.9.1', gpu: false };
  const today = { ...works, tensorflow: '2.18.1' };

  it('names the build, the driver and the GPU that is used', () => {
    expect(gpu).toEqual({
      name: 'NVIDIA H100 80GB HBM3',
      driver: '550.54.15',
      computeCapability: 9,
      memoryBytes: 81559 * 2 ** 20,
    });
    expect(judge(gpuName, { ...today, gpu: true }, true, [gpu])).toEqual({
      available: true,
      reason: 'TensorFlow 2.18.1 with CUDA 12.5 and cuDNN 9.3; driver 550.54.15, compute capability 9.0.',
    });
  });

  it('finds GPUs that are too new, and drivers that are too old, for the version of CUDA that is installed', () => {
    expect(judge(gpuName, works, true, [gpu])).toMatchObject({
      available: false,
      reason: expect.stringMatching(/H100.*is too new for TensorFlow 2\.9\.1 with CUDA 11\.2/),
      howToGetIt: expect.stringMatching(/setup tensorflow --gpu.*webgpu/),
    });
    const older = { ...gpu, driver: '470.57.02', computeCapability: 7.5 };
    expect(judge(gpuName, today, true, [older])).toMatchObject({
      reason: expect.stringMatching(/driver of .*470\.57\.02\) is too old for .*CUDA 12\.5/),
      howToGetIt: expect.stringMatching(/driver 525\.60 or newer/),
    });
  });

  it("quotes TensorFlow's log if it uses no GPU for another reason", () => {
    const silent = { ...today, gpuProblem: 'failed call to cuInit: UNKNOWN ERROR (303)' };
    expect(judge(gpuName, silent, true, [gpu]).reason).toMatch(
      /cannot use NVIDIA H100.*Its log: failed call to cuInit/,
    );
    expect(judge(gpuName, silent, true, []).reason).toMatch(
      /no NVIDIA driver responds.*Its log: failed call to cuInit/,
    );
  });

  it('recommends the setup for a GPU without the package', () => {
    expect(explainAbsence(gpuName, true, [gpu]).howToGetIt).toMatch(/setup tensorflow --gpu/);
    expect(explainAbsence(gpuName, true, []).reason).toMatch(/No NVIDIA driver/);
  });

  it.each([
    ['2.9.1', '11.2'],
    ['2.11.0', '11.2'],
    ['2.14.1', '11.8'],
    ['2.15.0', '12.2'],
    ['2.17.0', '12.3'],
    ['2.20.0', '12.5'],
  ])('knows that TensorFlow %s is built with CUDA %s', (tensorflow, cuda) => {
    expect(gpuBuildOf(tensorflow).cuda).toBe(cuda);
  });

  it('does not require a GPU for the processor backend', () => {
    expect(explainAbsence(name, false, []).howToGetIt).toMatch(/setup tensorflow/);
    expect(judge(name, { works: true, tensorflow: '2.15.0', gpu: false }, false, []).available).toBe(true);
  });
});
