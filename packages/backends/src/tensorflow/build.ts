/** What a build of TensorFlow expects of CUDA and the driver. */
export interface GpuBuild {
  readonly cuda: string;
  readonly cudnn: string;
  /** Oldest driver for Linux that runs this version of CUDA. */
  readonly driver: string;
  /** Highest compute capability of the GPUs that it runs on. */
  readonly newestCapability: number;
}

/** The tested configurations of tensorflow.org, by the first release that has them; the last first. */
const builds: readonly (readonly [release: readonly [number, number], cuda: string, cudnn: string])[] = [
  [[2, 18], '12.5', '9.3'],
  [[2, 16], '12.3', '8.9'],
  [[2, 15], '12.2', '8.9'],
  [[2, 14], '11.8', '8.7'],
  [[2, 12], '11.8', '8.6'],
  [[0, 0], '11.2', '8.1'],
];

/** The build of a version of TensorFlow, such as `2.9.1`. */
export function gpuBuildOf(tensorflow: string): GpuBuild {
  const [major = 0, minor = 0] = tensorflow.split('.').map(Number);
  const isSince = ([first, second]: readonly [number, number]) => major > first || (major === first && minor >= second);
  const [, cuda = '11.2', cudnn = '8.1'] = builds.find(([release]) => isSince(release)) ?? [];
  return {
    cuda,
    cudnn,
    driver: cuda.startsWith('11') ? '450.80' : '525.60',
    // CUDA before 11.8 does not know Hopper. Later builds contain code that the driver compiles for newer GPUs.
    newestCapability: Number(cuda) < 11.8 ? 8.9 : Number.POSITIVE_INFINITY,
  };
}

/** Whether a driver, such as `550.54.15`, is at least as new as another. */
export function isDriverSince(driver: string, oldest: string): boolean {
  const [found = [], needed = []] = [driver, oldest].map((text) => text.split('.').map(Number));
  const [major = 0, minor = 0] = found;
  const [neededMajor = 0, neededMinor = 0] = needed;
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}
