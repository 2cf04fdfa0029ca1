/** What both runs share. Names and defaults are those of run configs, so that an experiment file repeats the runs. */
export interface SharedSettings {
  /** `fashion-mnist-subset`, or `own`: pictures of the visitor. */
  readonly dataset: 'fashion-mnist-subset' | 'own';
  readonly trainImages: number;
  readonly testImages: number;
  /** Height and width of images. */
  readonly resize: number;
  readonly backbone: string;
  readonly width: number;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly backend: 'auto' | 'wasm' | 'webgpu';
  readonly threads: 'auto' | number;
  readonly relaxedSimd: boolean;
}

/** What a run is trained with. */
export interface RunSettings {
  /** Expression of the method: `lam(mlm(dgl), leap: [[1, 3]])`. */
  readonly method: string;
  /** Number of modules, K. */
  readonly modules: number;
}

export interface Settings {
  readonly shared: SharedSettings;
  /** One run, or two side by side. */
  readonly runs: readonly RunSettings[];
}

export const defaultShared: SharedSettings = {
  dataset: 'fashion-mnist-subset',
  trainImages: 5000,
  testImages: 1000,
  resize: 16,
  backbone: 'resnet14',
  width: 4,
  epochs: 4,
  batch: 50,
  learningRate: 0.1,
  seed: 1,
  backend: 'auto',
  threads: 'auto',
  relaxedSimd: true,
};

export const defaultSettings: Settings = {
  shared: defaultShared,
  runs: [
    { method: 'dgl', modules: 7 },
    { method: 'backprop', modules: 7 },
  ],
};

/** Settings that no control changes, as in the defaults of run configs. */
export const fixedSettings = {
  momentum: 0.9,
  nesterov: true,
  weightDecay: 1e-4,
  schedule: 'cosine',
  warmup: 0.05,
  logEvery: 10,
} as const;

/** Allowed values of numbers. */
export const ranges = {
  trainImages: [50, 5000],
  testImages: [50, 1000],
  resize: [8, 64],
  width: [1, 64],
  epochs: [1, 200],
  batch: [2, 512],
  learningRate: [0, 10],
  seed: [0, 1_000_000],
  modules: [1, 64],
} as const satisfies Readonly<Record<string, readonly [number, number]>>;

export const backbones = ['resnet8', 'resnet14', 'resnet20', 'resnet32', 'vgg11', 'vgg13', 'tiny', 'mlp'] as const;

/** Text that is equal exactly for runs that would give the same result on the same backend. */
export function identityOf({ shared, runs }: Settings, index: number): string {
  const { backend: _, threads: __, ...rest } = shared;
  return JSON.stringify({ ...rest, ...runs[index] });
}
