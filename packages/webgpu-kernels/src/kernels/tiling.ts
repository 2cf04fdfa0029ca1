import type { GpuDevice } from '../gpu.js';
import { tunedTilings } from './tuned-tilings.js';

/** How a product of matrices is divided among workgroups. Invocations compute 4×4 results. */
export interface Tiling {
  /** Rows, columns and depth of a tile, each a multiple of 4. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Whether the tile of the right matrix consists of vectors of four columns. */
  readonly vectors: boolean;
  /** Number of workgroups below which a long depth is split, to use more of the GPU. */
  readonly workgroups: number;
}

/** The fastest tiling of a kernel's products of one size, as measured. */
export interface TilingChoice {
  /** `conv2d`, `conv2dInputGradient` or `conv2dFilterGradient`. */
  readonly kernel: string;
  /** Size of the product. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly tiling: Tiling;
}

/** A product, as far as its tiling depends on it. */
export interface TiledSize {
  /** Starts with the name of the kernel. */
  readonly key: string;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

type AdapterOwner = Pick<GpuDevice, 'adapterInfo'>;

/** A WebGPU backend, as far as tilings depend on it. */
interface TiledBackend {
  readonly device: AdapterOwner;
}

const choices = new WeakMap<TiledBackend, readonly TilingChoice[]>();

/** The tiling without measurements. */
export function defaultTiling(columns: number): Tiling {
  return {
    rows: 64,
    columns: columns <= 16 ? 16 : columns <= 32 ? 32 : 64,
    depth: 16,
    vectors: false,
    workgroups: 256,
  };
}

/** Sets the tilings of a backend; by default, those measured on GPUs of its architecture. */
export function useTilings(backend: TiledBackend, own: readonly TilingChoice[] = tilingsOf(backend)): void {
  choices.set(backend, own);
}

function tilingsOf({ device }: TiledBackend): readonly TilingChoice[] {
  return tunedTilings[architectureOf(device)] ?? [];
}

/** `nvidia hopper`; empty in implementations that do not tell. */
export function architectureOf({ adapterInfo: { vendor = '', architecture = '' } = {} }: AdapterOwner): string {
  return `${vendor} ${architecture}`.trim();
}

/**
 * The tiling of a product: the one chosen for the same layer at the closest batch size, else the default. The batch changes
 * either the rows or the depth.
 */
export function tilingOf(backend: TiledBackend, { key, rows, columns, depth }: TiledSize): Tiling {
  const distance = (choice: TilingChoice) => Math.abs(Math.log((choice.rows * choice.depth) / (rows * depth)));
  const [closest] = (choices.get(backend) ?? [])
    .filter((choice) => key.split(' ')[0] === choice.kernel && choice.columns === columns)
    .filter((choice) => choice.rows === rows || choice.depth === depth)
    .sort((a, b) => distance(a) - distance(b));
  return closest?.tiling ?? defaultTiling(columns);
}
