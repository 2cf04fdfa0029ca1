export { type CompiledPlan, type CompileOptions, compilePlan } from './compile.js';
export {
  describePlan,
  type ModuleDescription,
  type ObjectiveDescription,
  type PlanDescription,
} from './description.js';
export { predict } from './evaluation.js';
export { type Batch, createExecutor, type Executor, type StepOptions, type StepResult } from './executor.js';
export type { CompiledHead } from './heads.js';
export { createLiteralExecutor } from './literal.js';
export type { PeakPrediction } from './prediction.js';
export { compileSchedule, type Instruction, type MemoryPolicy } from './schedule.js';
