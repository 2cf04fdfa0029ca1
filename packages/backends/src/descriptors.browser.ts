import { cpu } from './cpu.js';
import type { BackendDescriptor } from './descriptor.js';
import { wasm } from './wasm.js';
import { webgpu } from './webgpu.js';

/** Backends in the order in which `auto` tries them. */
export const descriptors: readonly BackendDescriptor[] = [webgpu, wasm, cpu];
