import type { Command } from 'commander';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { registerBenchKernels } from './kernels.js';
import { registerBenchMemory } from './memory.js';
import { registerBenchPipeline } from './pipeline.js';
import { registerBenchScaling } from './scaling.js';
import { registerBenchStep } from './step.js';

export function registerBench(program: Command, terminal: Terminal, present: Presenter): void {
  const bench = program
    .command('bench')
    .summary('measure time and memory of training on your hardware')
    .description('Measures time and memory on your hardware.');
  registerBenchStep(bench, terminal, present);
  registerBenchMemory(bench, terminal, present);
  registerBenchScaling(bench, terminal, present);
  registerBenchKernels(bench, terminal, present);
  registerBenchPipeline(bench, terminal, present);
}
