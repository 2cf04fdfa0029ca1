export type { BenchStepOptions, PeerName } from '@localgrad/bench';
export { type BenchReport, type BenchRow, benchStep } from '@localgrad/bench';
export { createCatalog, projectResolver, standardCatalog } from '@localgrad/catalog';
export { explanationSvg } from '@localgrad/report';
export {
  type ExplainOptions,
  type Explanation,
  type ExportOptions,
  type ExportReport,
  explain,
  exportWeights,
  type MeasurementEnvironment,
  measurementEnvironment,
  type RunConfig,
  type RunConfigInput,
  runConfigSchema,
} from '@localgrad/runs';
export { runCommandLine } from './command-line.js';
export { type ServeReport, type TrainReport, trainRun } from './commands/train.js';
export { type QuickstartOptions, type QuickstartReport, quickstart } from './quickstart/quickstart.js';
export type { MethodResult, QuickstartResults, SeedResult } from './quickstart/results.js';
export type { Terminal, TextStream } from './terminal.js';
