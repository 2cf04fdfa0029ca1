export interface Adapter {
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly isFallbackAdapter?: boolean;
  readonly limits: Readonly<Record<string, number>>;
}

/** An entry point of WebGPU, like `navigator.gpu`. */
export interface Gpu {
  requestAdapter(options?: object): Promise<Adapter | null>;
}

/** The entry point that this runtime or page provides. */
export function providedGpu(): Gpu | undefined {
  return (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
}

/** Why something is not available, and how to get it. */
export interface Absence {
  readonly reason: string;
  readonly howToGetIt: string;
}
