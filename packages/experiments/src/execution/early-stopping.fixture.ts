import { createExperiment } from './experiment-file.js';

/** Four runs of one network, of which the first two learn and the last two do not. */
export const experiment = (
  earlyStopping: { graceEpochs: number; peers: number } | undefined,
  epochs = 3,
  { tune, ...more }: { readonly tune?: Record<string, unknown[]>; readonly [key: string]: unknown } = {},
) =>
  createExperiment({
    name: 'search',
    base: {
      ...{ method: 'backprop', backbone: 'tiny', modules: 2, resize: 8, trainImages: 40, testImages: 100 },
      ...{ batch: 20, epochs, backend: 'cpu', momentum: 0 },
    },
    // The first two learn; the last ones do not move.
    ...(tune === undefined ? { grid: { learningRate: [0.3, 0.2, 0, 1e-9] } } : { tune }),
    seeds: 1,
    ...(earlyStopping === undefined ? {} : { earlyStopping }),
    ...more,
  });
