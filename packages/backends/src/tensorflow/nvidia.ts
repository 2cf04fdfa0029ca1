/** A GPU as reported by NVIDIA's driver. */
export interface NvidiaGpu {
  readonly name: string;
  readonly driver: string;
  /** CUDA compute capability, e.g. 9 for Hopper. */
  readonly computeCapability: number;
  readonly memoryBytes: number;
}

async function ask(query: string): Promise<string[]> {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve) => {
    execFile('nvidia-smi', [query, '--format=csv,noheader,nounits'], { timeout: 10_000 }, (error, stdout) =>
      resolve(error === null ? stdout.split('\n').filter((line) => line.trim() !== '') : []),
    );
  });
}

/** Lists the machine's NVIDIA GPUs; empty without a driver. */
export async function nvidiaGpus(): Promise<NvidiaGpu[]> {
  return (await ask('--query-gpu=name,driver_version,compute_cap,memory.total')).map(parseGpu);
}

/** Parses one line of `nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total`. */
export function parseGpu(line: string): NvidiaGpu {
  const [name = '', driver = '', capability = '', mebibytes = ''] = line.split(',').map((field) => field.trim());
  return { name, driver, computeCapability: Number(capability), memoryBytes: Number(mebibytes) * 2 ** 20 };
}

/** Bytes of GPU memory used by a process, according to the driver; undefined if the driver does not list it. */
export async function processGpuBytes(pid: number): Promise<number | undefined> {
  const rows = (await ask('--query-compute-apps=pid,used_memory')).map((line) => line.split(',').map(Number));
  const mine = rows.filter(([id]) => id === pid);
  return mine.length === 0 ? undefined : mine.reduce((sum, [, mebibytes = 0]) => sum + mebibytes * 2 ** 20, 0);
}
