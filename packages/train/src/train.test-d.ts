// Types that training programs rely on; type-checked only, never run.
import { type Clock, type Optimizer, type Schedule, startOfTraining } from '@localgrad/core';
import {
  type Batch,
  type CompiledPlan,
  createExecutor,
  createLiteralExecutor,
  createTrainStep,
  type Executor,
  type StepOptions,
  type TrainStepResult,
} from '@localgrad/engine';
import type { Scalar } from '@tensorflow/tfjs';
import { expectTypeOf } from 'vitest';
import { type BatchSource, type EvaluationResult, type OwnedBatch, type TrainOptions, train } from './index.js';

declare const compiled: CompiledPlan;
declare const optimizer: Optimizer;
declare const batch: Batch;

// Executors are interchangeable.
expectTypeOf(createExecutor).toExtend<(compiled: CompiledPlan) => Executor>();
expectTypeOf(createLiteralExecutor).toEqualTypeOf<(compiled: CompiledPlan) => Executor>();
expectTypeOf<TrainOptions['executor']>().toEqualTypeOf<((compiled: CompiledPlan) => Executor) | undefined>();

// A step requires a plan, an optimizer and a clock.
const step = createTrainStep({ compiled, optimizer });
expectTypeOf(step.run(batch, startOfTraining)).toEqualTypeOf<TrainStepResult>();
expectTypeOf(step.run([batch, batch], startOfTraining).losses).toEqualTypeOf<ReadonlyMap<string, Scalar>>();
// @ts-expect-error: a step requires a clock
step.run(batch);
expectTypeOf<StepOptions['clock']>().toEqualTypeOf<Clock | undefined>();

// Batches can be synchronous or asynchronous.
expectTypeOf<BatchSource['epoch']>().returns.toEqualTypeOf<Iterable<OwnedBatch> | AsyncIterable<OwnedBatch>>();

// The learning rate is a number or a schedule; the network need not be a classifier.
expectTypeOf<TrainOptions['learningRate']>().toEqualTypeOf<number | Schedule>();
expectTypeOf<EvaluationResult['accuracy']>().toEqualTypeOf<number | null>();
expectTypeOf(train).parameters.toEqualTypeOf<[options: TrainOptions]>();
