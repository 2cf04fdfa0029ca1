export { checkedKernels } from './checked-kernels.js';
export { bothAxes, type ConvolutionMeasures, convolutionMeasures } from './convolution-measures.js';
export { describeKernels, type KernelDescription } from './describe-kernels.js';
export type { KernelRuntime } from './kernel-runtime.js';
export { MemoryMeter, type MemoryMeterOptions } from './memory-meter.js';
export { owned } from './owned.js';
export { poolingGeometryOf } from './pooling-geometry.js';
export { productShapeOf, type Transposes } from './product-shape.js';
export { currentKernels, registerTrainingKernels } from './registry.js';
export { replaceStockKernels, type StockKernel } from './replace-stock-kernels.js';
export { requireLabels } from './require-labels.js';
export { SharedRuntimes } from './shared-runtimes.js';
export {
  computedTensor,
  gatherScalars,
  type NamedTensors,
  type RecordableStep,
  type RecordedStep,
  type RecordingStatus,
  type StepRecorder,
} from './step-recorder.js';
export { clipAll } from './stock/clipping.js';
export { type GroupedConvolutions, groupByGroup } from './stock/grouped-convolution.js';
export { poolingReplacements } from './stock/pooling-replacements.js';
export { moveStatistics, runningFactors } from './stock/running-statistics.js';
export { stockKernels } from './stock-kernels.js';
export type {
  AxisMap,
  BatchNormGradient,
  BatchNormGradientRequest,
  BatchStatistics,
  ConvolutionGeometry,
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
  MovedStatistics,
  Normalization,
  Padding,
  PerAxis,
  PooledBatchNormGradientRequest,
  PoolingGeometry,
  RunningStatistics,
  Shape4,
  TrainingKernels,
} from './training-kernels.js';
export type { AdamUpdate, AdamUpdateRequest, BlendRequest, SgdUpdate, SgdUpdateRequest } from './update-requests.js';
