import { selectBackend } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import type { BudgetChoice } from './budget/memory-budget.js';
import { type BuiltPlan, buildPlan, type PlanConfig } from './build-plan.js';
import { checkAccumulation } from './config/check-images.js';
import { configError } from './config/config-error.js';
import { checkDelays } from './config/gradient-delay.js';
import { type OptimizerConfig, optimizerOf, runDefaults } from './config/optimization.js';
import { type NameOptions, nameOptionNames, resolveNames } from './config/resolve-names.js';
import { type RunConfig, runConfigKeys } from './config/run-config.js';
import { describeRun, type RunDescription } from './describe-run.js';
import { type ExplainedPipeline, explainPipeline, type PipelineSetting } from './pipeline/explain-pipeline.js';
import type { ForecastMachines } from './pipeline/forecast.js';
import { isPipelined } from './pipeline/is-pipelined.js';

export interface ExplainOptions
  extends PlanConfig,
    Partial<OptimizerConfig>,
    Partial<Pick<RunConfig, 'workers' | 'placement' | 'backend' | 'threads' | 'relaxedSimd'>> {
  readonly batch: number;
  /** Machines on which training with `workers` or `placement` is predicted. Default: no prediction. */
  readonly machines?: ForecastMachines;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** Height, width, channels. Default: those of the backbone if it supports no other ones, else 32×32×3. */
  readonly image?: Shape3;
  /** Default: those of the backbone if it supports no other number, else 10. */
  readonly classes?: number;
}

/** Ratios to the units of work and the predicted peak bytes of another procedure. */
export interface Relation {
  readonly work: number;
  readonly memory: number;
}

export interface Explanation extends RunDescription {
  /** The method expression as requested. */
  readonly expression: string;
  readonly backbone: string;
  readonly batch: number;
  readonly image: Shape3;
  readonly classes: number;
  readonly memory: string;
  /** How `memoryBudget` was met. */
  readonly budget?: ExplainedBudget;
  /** How the plan is divided among `workers` or by `placement`, if there are several. */
  readonly pipeline?: ExplainedPipeline;
  readonly totals: RunDescription['totals'] & {
    /** End-to-end training of the same backbone, with stored activations. */
    readonly relativeToBackprop: Relation;
    /** The same plan with the procedure of reference implementations. */
    readonly relativeToReference: Relation;
  };
}

/** The choice within a memory budget, next to end-to-end training with planned recomputation. */
export interface ExplainedBudget extends BudgetChoice {
  /** Null if end-to-end training does not fit. */
  readonly endToEnd: BudgetChoice | null;
}

/** The losses and predicted cost of a plan, before any step runs. */
export async function explain(options: ExplainOptions, names: NameOptions = {}): Promise<Explanation> {
  // A whole config is allowed, with the keys that have no effect here.
  rejectUnknownKeys('explain', options, [...runConfigKeys, 'machines', 'image', 'classes']);
  rejectUnknownKeys('explain', names, nameOptionNames);
  const { accumulate = runDefaults.accumulate, batch } = options;
  checkAccumulation({ accumulate, batch });
  // The weights need a backend, but nothing is computed.
  checkMachines(options);
  const backend = await selectBackend('cpu');
  try {
    const { backbone: expression, width } = options;
    const { catalog } = await resolveNames({ backbone: expression }, names);
    const only = catalog.backbone(expression, { width }).images;
    const { image: imageShape = only?.inputShape ?? [32, 32, 3], classes = only?.classes ?? 10 } = options;
    const budgetOf = async (config: PlanConfig): Promise<BudgetChoice | null> => {
      const plan = await buildPlan(config, { imageShape, classes }, { ...names, zeros: true }).catch(
        (error: unknown) => {
          if (LocalgradError.isInstance(error) && error.code === 'out-of-memory') return undefined;
          throw error;
        },
      );
      plan?.dispose();
      return plan?.budget ?? null;
    };
    const describe = async (config: PlanConfig) => {
      const plan = await buildPlan(config, { imageShape, classes }, { ...names, zeros: true });
      try {
        checkDelays(config, plan.compiled);
        const setting = { config, images: { imageShape, classes }, names, machines: options.machines };
        const pipeline = await pipelineOf(plan, setting);
        return { description: describeRun(plan, { ...runDefaults, ...options }), budget: plan.budget, pipeline };
      } finally {
        plan.dispose();
      }
    };
    const { description: described, budget, pipeline } = await describe(options);
    const cuts = budget === undefined ? {} : { partition: [...budget.partition] };
    const { description: backprop } = await describe({
      ...options,
      ...plainTraining,
      ...cuts,
      method: endToEndMethod,
      memory: runDefaults.memory,
    });
    const endToEnd = budget === undefined ? null : await budgetOf({ ...options, method: endToEndMethod });
    const relate = (other: { readonly unitsOfWork: number; readonly predictedPeakBytes: number }): Relation => ({
      work: described.totals.unitsOfWork / other.unitsOfWork,
      memory: described.totals.predictedPeakBytes / other.predictedPeakBytes,
    });
    return {
      expression: options.method,
      backbone: options.backbone,
      batch: options.batch,
      image: imageShape,
      classes,
      memory: options.memory,
      ...described,
      ...(budget === undefined ? {} : { budget: { ...budget, endToEnd } }),
      ...(pipeline === undefined ? {} : { pipeline }),
      totals: {
        ...described.totals,
        relativeToBackprop: relate(backprop.totals),
        relativeToReference: relate(described.totals.reference),
      },
    };
  } finally {
    backend.dispose();
  }
}

/** @throws LocalgradError about `bandwidth` if the machines would be ignored */
function checkMachines({ machines, workers = 1, placement, asynchronous = 'none' }: ExplainOptions): void {
  if (machines === undefined) return;
  if (!isPipelined({ workers, placement })) {
    throw configError('bandwidth', 'has no effect on one worker; set workers or placement.', {
      mentions: ['workers', 'placement'],
    });
  }
  if (asynchronous !== 'none') {
    throw configError('bandwidth', 'has no effect on asynchronous workers, which do not wait; remove it.');
  }
}

/** End-to-end training, with which a plan is compared: on one worker, in step, without a limit. */
const plainTraining = {
  ...{ memoryBudget: undefined, asynchronous: 'none', workers: 1, placement: undefined },
  ...{ delay: 0, gradientDelay: 0, gradientDelayCuts: undefined },
};

async function pipelineOf(
  { compiled, catalog }: BuiltPlan,
  { config: given, ...setting }: Omit<PipelineSetting, 'config' | 'compiled' | 'optimizer'> & { config: PlanConfig },
): Promise<ExplainedPipeline | undefined> {
  const config = { ...runDefaults, ...given };
  const optimizer = optimizerOf(config, catalog);
  try {
    return await explainPipeline({ ...setting, config, compiled, optimizer });
  } finally {
    optimizer.dispose();
  }
}
