// Types that authors of methods, heads, decorators and optimizers rely on; type-checked only, never run.
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { expectTypeOf } from 'vitest';
import {
  type AfterStepHook,
  type BorrowedBlock,
  type Clock,
  clockAt,
  compose,
  type Head,
  type HeadFactory,
  type HeadRequest,
  identity,
  type LocalLearningMethod,
  type MovingAverage,
  type Objective,
  type Optimizer,
  type ParameterGradient,
  type Phase,
  type PhaseRule,
  type PlanState,
  type Schedule,
  type StateDeclaration,
  type Targets,
  type TrainingPlan,
  type Weight,
} from './index.js';

// A method: a function from a network to a plan.
const plan: TrainingPlan = { method: 'own', objectives: [], hooks: [] };
const method: LocalLearningMethod = { specVersion: 'v1', name: 'own', config: { method: 'own' }, plan: () => plan };
expectTypeOf(compose(identity)(method)).toEqualTypeOf<LocalLearningMethod>();
// @ts-expect-error: v1 is the only version of the spec
const future: LocalLearningMethod = { ...method, specVersion: 'v2' };
expectTypeOf(future).toEqualTypeOf<LocalLearningMethod>();

// One clock for weights, schedules, phases, heads and hooks.
expectTypeOf(clockAt).returns.toEqualTypeOf<Clock>();
expectTypeOf<Weight>().toEqualTypeOf<number | ((clock: Clock) => number)>();
expectTypeOf<Schedule['rate']>().parameters.toEqualTypeOf<[clock: Clock]>();
expectTypeOf<HeadRequest['clock']>().toEqualTypeOf<Clock>();
expectTypeOf<AfterStepHook['afterStep']>().parameter(0).toHaveProperty('clock').toEqualTypeOf<Clock>();
expectTypeOf<PhaseRule['phaseAt']>().parameters.toEqualTypeOf<[clock: Clock, state: PlanState]>();

// Roles are open: decorators may add their own. Editors complete the known ones.
expectTypeOf<'cascaded'>().toExtend<Objective['role']>();
expectTypeOf<'final'>().toExtend<Objective['role']>();

// Phases and state are optional, and plain data.
expectTypeOf<TrainingPlan>().toHaveProperty('phases').toEqualTypeOf<PhaseRule | undefined>();
expectTypeOf<{ name: 'all' }>().toExtend<Phase>();
expectTypeOf<{ name: 'steps'; initial: 0 }>().toExtend<StateDeclaration>();
// @ts-expect-error: a tensor needs an initializer
const withoutInitializer: StateDeclaration = { name: 'total', shape: [2] };
expectTypeOf(withoutInitializer).toExtend<StateDeclaration>();

// Targets have names; those of classification and reconstruction have types.
expectTypeOf<Targets['labels']>().toEqualTypeOf<Tensor1D | undefined>();
expectTypeOf<Targets['images']>().toEqualTypeOf<Tensor4D | undefined>();
expectTypeOf<Targets['depth']>().toEqualTypeOf<Tensor | undefined>();

// The smallest head; everything else is optional.
type Required<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] };
expectTypeOf<keyof Required<HeadFactory>>().toEqualTypeOf<'name' | 'build'>();
expectTypeOf<Head['measure']>().toEqualTypeOf<
  ((h: Tensor4D, targets: Targets) => ReadonlyMap<string, Tensor>) | undefined
>();
expectTypeOf<MovingAverage['when']>().toEqualTypeOf<'beforeUpdate' | 'afterUpdate'>();
expectTypeOf<BorrowedBlock['as']>().toEqualTypeOf<readonly ('trained-copy' | 'averaged-copy' | 'live')[]>();

// An optimizer receives groups of gradients.
expectTypeOf<Optimizer['update']>().parameter(0).toEqualTypeOf<readonly ParameterGradient[]>();
expectTypeOf<Optimizer['needsWholeStep']>().toEqualTypeOf<boolean | undefined>();
