import {
  type Block,
  type Head,
  LocalgradError,
  type Network,
  type Objective,
  type Parameter,
  type ParameterScope,
  type TrainingPlan,
  validatePlan,
} from '@localgrad/core';
import { sequential, withStatisticsUpdates } from '@localgrad/nn';
import { type CompiledHead, groupObjectives } from './heads.js';
import { type PeakPrediction, predictPeak } from './prediction.js';
import { compileSchedule, type Instruction, type MemoryPolicy } from './schedule.js';

export interface CompileOptions {
  /** Where the heads' weights are made, under `heads.<key>`. */
  readonly scope: ParameterScope;
  readonly memory?: MemoryPolicy;
}

/** A plan with its heads built and its schedule fixed: what executors run and `explain` prints. */
export interface CompiledPlan {
  readonly network: Network;
  readonly plan: TrainingPlan;
  readonly memory: MemoryPolicy;
  /** One block for each module. */
  readonly modules: readonly Block[];
  /** The blocks of each module. */
  readonly moduleBlocks: readonly (readonly Block[])[];
  /** The objectives that take part: those whose weight is not the constant 0. */
  readonly objectives: readonly Objective[];
  /** Heads by module index, each evaluated once per step. */
  readonly heads: ReadonlyMap<number, readonly CompiledHead[]>;
  readonly schedule: readonly Instruction[];
  /** Batches must carry `targets.images`. */
  readonly readsImages: boolean;
  /** Weights, frozen parameters and statistics of the network and of the heads in use, by name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Bytes alive at the worst moment of a step with this batch size. */
  predict(batchSize: number): PeakPrediction;
}

/**
 * Turns a plan into a schedule of the least work, and builds its heads.
 *
 * @throws LocalgradError `invalid-plan` when the plan contradicts itself or the network
 */
export function compilePlan(network: Network, plan: TrainingPlan, options: CompileOptions): CompiledPlan {
  const memory = options.memory ?? 'residuals';
  if (memory !== 'residuals' && memory !== 'recompute') {
    throw new LocalgradError(
      'invalid-option',
      `Memory policy '${String(memory)}' is not known; allowed: residuals, recompute.`,
    );
  }
  validatePlan(plan, network.modules.length);
  const objectives = plan.objectives.filter((objective) => objective.weight !== 0);
  if (objectives.length === 0) {
    throw new LocalgradError(
      'invalid-plan',
      `Plan of '${plan.method}': every objective has weight 0; at least one must not.`,
    );
  }
  const heads = groupObjectives(objectives, network, options.scope.scope('heads'));
  const moduleBlocks = network.modules.map(({ index, blocks }) => countedBlocks(plan, index, blocks));
  const modules = moduleBlocks.map((blocks, index) => {
    const [only] = blocks;
    return blocks.length === 1 && only !== undefined ? only : sequential(`module${index}`, blocks);
  });
  const schedule = compileSchedule(
    objectives.map((objective) => objective.span),
    network.modules.length,
    memory,
  );
  const compiled = {
    network,
    plan,
    memory,
    modules,
    moduleBlocks,
    objectives,
    heads,
    schedule,
    readsImages: [...heads.values()].flat().some(({ head }) => head.readsImages === true),
    parameters: collectParameters(network, heads),
  };
  return { ...compiled, predict: (batchSize) => predictPeak(compiled, batchSize) };
}

/** The blocks of a module, each with the number of updates that the plan wants of its running statistics. */
function countedBlocks(plan: TrainingPlan, module: number, blocks: readonly Block[]): readonly Block[] {
  const updates = plan.statisticsUpdates?.[module] ?? 1;
  if (typeof updates !== 'number' && updates.length !== blocks.length) {
    throw new LocalgradError(
      'invalid-plan',
      `Plan of '${plan.method}': statisticsUpdates has ${updates.length} counts for module ${module}, which has ${blocks.length} blocks.`,
      { module, updates, blocks: blocks.map((block) => block.name) },
    );
  }
  return blocks.map((block, index) => {
    const count = typeof updates === 'number' ? updates : (updates[index] as number);
    return count === 1 ? block : withStatisticsUpdates(block, count);
  });
}

function collectParameters(
  network: Network,
  heads: ReadonlyMap<number, readonly CompiledHead[]>,
): Map<string, Parameter> {
  const owners: (Block | Head)[] = [
    ...network.backbone.blocks.map(({ block }) => block),
    network.backbone.classifier,
    ...[...heads.values()].flat().map(({ head }) => head),
  ];
  return new Map(
    owners
      .flatMap((owner) => [...owner.parameters, ...owner.statistics])
      .map((parameter) => [parameter.name, parameter]),
  );
}
