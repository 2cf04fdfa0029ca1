/** A wheel on a package index, and the only content that is accepted for it. */
export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** Python version, interface and platforms, as in the file's name. The C library is the same for all Python versions. */
  readonly tag: string;
  /** Size of the download. */
  readonly bytes: number;
  /** Size of the files that are unpacked. */
  readonly unpackedBytes: number;
  readonly sha256: string;
}

/** A tested TensorFlow library, and the package whose binding is built for it. */
export interface Release {
  /** Name of its folder in the cache. */
  readonly id: string;
  readonly packageName: string;
  /** Version of TensorFlow. */
  readonly tensorflow: string;
  readonly description: string;
  readonly wheels: readonly Wheel[];
}

/** The last tested release whose wheels run on every processor and system supported by TensorFlow.js 4.22.0. */
export const processorRelease: Release = {
  id: 'pypi-2.15.0',
  packageName: '@tensorflow/tfjs-node',
  tensorflow: '2.15.0',
  description: 'TensorFlow 2.15.0',
  wheels: [
    {
      name: 'tensorflow-cpu',
      version: '2.15.0',
      tag: 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64',
      bytes: 207_208_171,
      unpackedBytes: 617_698_336,
      sha256: 'f46c795177f6311c83562e05d38dc7d4618f8d3150e6902a4499b875f3f97270',
    },
  ],
};

/**
 * TensorFlow with the libraries of CUDA and cuDNN that its wheel requires (`tensorflow[and-cuda]`). It contains machine
 * code for GPUs up to Hopper; the driver compiles it for newer ones.
 */
export const gpuRelease: Release = {
  id: 'pypi-gpu-2.18.1',
  packageName: '@tensorflow/tfjs-node-gpu',
  tensorflow: '2.18.1',
  description: 'TensorFlow 2.18.1 with CUDA 12.5 and cuDNN 9.3',
  wheels: [
    {
      name: 'tensorflow',
      version: '2.18.1',
      tag: 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64',
      bytes: 615_510_377,
      unpackedBytes: 1_256_079_300,
      sha256: 'c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828',
    },
    {
      name: 'nvidia-cublas-cu12',
      version: '12.5.3.2',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 363_313_169,
      unpackedBytes: 551_706_504,
      sha256: 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b',
    },
    {
      name: 'nvidia-cuda-cupti-cu12',
      version: '12.5.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 13_811_507,
      unpackedBytes: 43_952_208,
      sha256: 'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953',
    },
    {
      name: 'nvidia-cuda-nvcc-cu12',
      version: '12.5.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 22_468_537,
      unpackedBytes: 31_408_356,
      sha256: 'b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0',
    },
    {
      name: 'nvidia-cuda-nvrtc-cu12',
      version: '12.5.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 24_873_108,
      unpackedBytes: 68_243_664,
      sha256: '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd',
    },
    {
      name: 'nvidia-cuda-runtime-cu12',
      version: '12.5.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 895_707,
      unpackedBytes: 712_032,
      sha256: '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115',
    },
    {
      name: 'nvidia-cudnn-cu12',
      version: '9.3.0.75',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 577_163_502,
      unpackedBytes: 885_338_960,
      sha256: '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d',
    },
    {
      name: 'nvidia-cufft-cu12',
      version: '11.2.3.61',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 192_524_114,
      unpackedBytes: 278_929_256,
      sha256: '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8',
    },
    {
      name: 'nvidia-curand-cu12',
      version: '10.3.6.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 56_309_107,
      unpackedBytes: 96_529_840,
      sha256: '2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536',
    },
    {
      name: 'nvidia-cusolver-cu12',
      version: '11.6.3.83',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 130_341_232,
      unpackedBytes: 218_141_696,
      sha256: '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
    },
    {
      name: 'nvidia-cusparse-cu12',
      version: '12.5.1.3',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 217_558_979,
      unpackedBytes: 295_715_544,
      sha256: '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752',
    },
    {
      name: 'nvidia-nccl-cu12',
      version: '2.21.5',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 188_654_414,
      unpackedBytes: 251_616_632,
      sha256: '8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0',
    },
    {
      name: 'nvidia-nvjitlink-cu12',
      version: '12.5.82',
      tag: 'py3-none-manylinux2014_x86_64',
      bytes: 21_298_879,
      unpackedBytes: 54_560_656,
      sha256: 'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212',
    },
  ],
};

/** `tensorflow_cpu-2.15.0-cp311-cp311-manylinux2014_x86_64.whl` */
export function fileOf({ name, version, tag }: Wheel): string {
  return `${name.replaceAll('-', '_')}-${version}-${tag}.whl`;
}

/** `2.4 GB`, `14 MB`, as package indexes state sizes */
export function decimalSize(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
