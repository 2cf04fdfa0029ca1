import { getBackend } from '@tensorflow/tfjs';
import type { TrainingKernels } from '../training-kernels.js';
import * as composed from './composed-pooling.js';
import * as loops from './pooling-loops.js';

type Pooling = Pick<TrainingKernels, 'maxPool' | 'maxPoolGradient' | 'averagePool' | 'averagePoolGradient'>;

const implementation = (): Pooling => (getBackend() === 'cpu' ? loops : composed);

export const stockPooling: Pooling = {
  maxPool: (...values) => implementation().maxPool(...values),
  maxPoolGradient: (...values) => implementation().maxPoolGradient(...values),
  averagePool: (...values) => implementation().averagePool(...values),
  averagePoolGradient: (...values) => implementation().averagePoolGradient(...values),
};
