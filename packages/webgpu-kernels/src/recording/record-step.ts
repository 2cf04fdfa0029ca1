import { LocalgradError } from '@localgrad/core';
import { currentKernels, type NamedTensors, type RecordableStep, type RecordedStep } from '@localgrad/kernels';
import { getBackend } from '@tensorflow/tfjs';

/**
 * Records a step of any TensorFlow.js program on the current WebGPU backend, which `startWebGpu` has started. The step
 * runs ordinarily until two consecutive steps asked the same of the device; from then on it is replayed with its commands
 * in one pass, without running its JavaScript.
 *
 * A step is recorded if its shapes are static, it reads nothing back, its values reach the device as inputs, state or
 * `numbers`, and every tensor that it keeps is a result or state. Otherwise it runs ordinarily; `status` gives the reason.
 * Decisions that the step takes without reading values (a counter, the time) are not detected unless they differ between
 * the two steps.
 *
 * @throws LocalgradError `misuse` on other backends
 */
export function recordStep<Results extends NamedTensors>(step: RecordableStep<Results>): RecordedStep<Results> {
  const { recorder } = currentKernels();
  if (recorder === undefined) {
    throw new LocalgradError(
      'misuse',
      `Steps are recorded on the webgpu backend; the current one is '${getBackend()}'. Call startWebGpu first.`,
    );
  }
  return recorder.recordStep(step);
}
