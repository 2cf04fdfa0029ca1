export {
  type Backbone,
  type BackboneBlock,
  type BackboneFactory,
  type BackboneOptions,
  type BlockReference,
  formatReference,
} from './backbone.js';
export {
  type Block,
  type BlockCost,
  type BlockGeometry,
  type Cotangents,
  evaluationMode,
  type Mode,
  type NoiseKey,
  type Pass,
  recomputeMode,
  trainingMode,
  type Want,
} from './block.js';
export { buildBackbone, buildHead, planOf, returnIt } from './build.js';
export { callOwn, errorCodeOf, locatedMessageOf, messageOf, ownError } from './caught.js';
export { at, get, requireSynchronous } from './checked.js';
export { type Clock, clockAt, endOfTraining, startOfTraining } from './clock.js';
export { type ComposedDecorator, composedDecorator, type DecoratorName, decoratedName } from './composed-decorator.js';
export { crc32 } from './crc32.js';
export {
  closestFirst,
  type ErrorCode,
  LocalgradError,
  rejectUnknownKeys,
  requireOption,
  unknownName,
} from './errors.js';
export { type Expression, formatExpression, type OptionValue, parseExpression } from './expression.js';
export type {
  BorrowedBlock,
  Head,
  HeadContext,
  HeadCost,
  HeadFactory,
  HeadFactoryTerm,
  HeadRequest,
  HeadResult,
  MovingAverage,
  SynthesisRequest,
  Targets,
} from './head.js';
export { moduleInputTarget, outputGradientTarget } from './head.js';
export type { JsonObject, JsonValue } from './json.js';
export { independentPlan } from './local-plan.js';
export { faultOfMembers, type MemberType, memberOf } from './members.js';
export { compose, identity, type LocalLearningMethod, type MethodDecorator } from './method.js';
export { createNetwork, type Module, type Network } from './network.js';
export {
  type Optimizer,
  optimizerLabel,
  type ParameterGradient,
  type Schedule,
  type UpdateContext,
  type UpdateNeeds,
  type WeightRule,
} from './optimizer.js';
export {
  type Initializer,
  Parameter,
  type ParameterKind,
  type ParameterScope,
  type RandomSource,
} from './parameter.js';
export {
  type CostOf,
  type Partition,
  type PartitionSpec,
  type PartitionStrategy,
  resolvePartition,
} from './partition.js';
export {
  type AfterStepHook,
  type BlockPlace,
  classifierHead,
  classifierObjective,
  finalObjective,
  type HeadReference,
  isEndToEnd,
  type Objective,
  type ObjectiveRole,
  type Phase,
  type PhaseRule,
  type SharedWeightsReference,
  type Span,
  type StepContext,
  type TrainingPlan,
  validatePlan,
  type Weight,
  weightAt,
} from './plan.js';
export { bytesOf, formatShape, type Shape3, sameShape, sizeOf } from './shapes.js';
export { printable, shortened, shown } from './shown.js';
export {
  type PlanState,
  type StateDeclaration,
  StoredPlanState,
  type TensorStateDeclaration,
  type ValueStateDeclaration,
} from './state.js';
export { readProblem } from './system-error.js';
