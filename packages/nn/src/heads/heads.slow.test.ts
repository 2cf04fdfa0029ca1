import * as tf from '@tensorflow/tfjs';
import { beforeAll } from 'vitest';
import { describeHead } from './head-laws.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describeHead('dgl-128x512', { batch: 4 });
