import {
  at,
  clockAt,
  LocalgradError,
  type Network,
  type Optimizer,
  recomputeMode,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { type CompiledPlan, compilePlan, createTrainStep, type MemoryPolicy, predict } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { numberError, type ReferenceTensors, tensorError } from './compare.js';
import type { TrainingCase } from './format.js';
import { Groups } from './groups.js';
import { buildNetwork, loadMethod } from './subject.js';

/** Rebuilds network, method and decorators, runs the steps, and compares all expected values. */
export async function runTrainingCase(
  spec: TrainingCase,
  tensors: ReferenceTensors,
  memory: MemoryPolicy,
): Promise<Groups> {
  const scope = createScope(1);
  const groups = new Groups();
  try {
    const network = buildNetwork(spec.network, scope);
    const method = await loadMethod(spec.method);
    const compiled = compilePlan(network, method.plan(network), { scope, memory });
    assignStart(spec, compiled, tensors);
    const optimizer = spec.optimizer === undefined ? undefined : sgd(spec.optimizer);
    await compareForward(spec, network, tensors, groups);
    for (const step of spec.inputs.keys()) await runStep(spec, step, compiled, optimizer, tensors, groups);
    for (const group of ['weights', 'averages'] as const) {
      await compareParameters(group, spec, compiled, tensors, groups);
    }
    optimizer?.dispose();
  } finally {
    for (const parameter of scope.all().values()) parameter.dispose();
  }
  return groups;
}

/** `parameter 'a'`, or `3 parameters, including 'a'`. */
function listed([first, ...others]: readonly string[]): string {
  return others.length === 0 ? `parameter '${first}'` : `${others.length + 1} parameters, including '${first}'`;
}

function assignStart(spec: TrainingCase, { parameters }: CompiledPlan, tensors: ReferenceTensors): void {
  const missing = [...parameters.values()].filter(
    ({ name, kind }) => kind !== 'statistic' && spec.parameters[name] === undefined,
  );
  if (missing.length > 0) {
    throw new LocalgradError(
      'invalid-data',
      `Case '${spec.case}' has no initial value for ${listed(missing.map(({ name }) => name))} of its network and method.`,
      { case: spec.case, missing: missing.map(({ name }) => name) },
    );
  }
  for (const [name, reference] of Object.entries(spec.parameters)) {
    const parameter = parameters.get(name);
    if (parameter === undefined) {
      throw new LocalgradError(
        'invalid-data',
        `Case '${spec.case}' has an initial value for '${name}', but network and method have no such parameter.`,
        { case: spec.case, parameter: name },
      );
    }
    const { shape, data } = tensors.weight(reference);
    if (!sameShape(shape, parameter.shape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `Case '${spec.case}': the initial value of '${name}' has shape [${shape.join(', ')}], but the parameter has [${parameter.shape.join(', ')}] (in our layout, converted from PyTorch's).`,
        { case: spec.case, parameter: name, found: shape, expected: parameter.shape },
      );
    }
    parameter.assign(tf.tensor(data, [...parameter.shape]));
  }
}

/** Compares features and class scores in training mode, before the first update. */
async function compareForward(
  spec: TrainingCase,
  network: Network,
  tensors: ReferenceTensors,
  groups: Groups,
): Promise<void> {
  const { features = {}, logits } = spec.expected;
  if (Object.keys(features).length === 0 && logits === undefined) return;
  const { images, dispose } = batchOf(spec, 0, tensors);
  const outputs = new Map<string, tf.Tensor4D>();
  let x: tf.Tensor4D = images;
  for (const { block } of network.backbone.blocks) {
    const pass = block.forward(x, recomputeMode);
    pass.release();
    x = pass.output;
    outputs.set(block.name, x);
  }
  for (const [name, reference] of Object.entries(features)) {
    const output = outputs.get(name);
    const error =
      output === undefined
        ? Number.POSITIVE_INFINITY
        : await tensorError(output, reference, tensors, spec.comparison, 'activation');
    groups.note('features', name, error);
  }
  if (logits !== undefined) {
    const scores = network.backbone.classifier.predict?.(x) as tf.Tensor;
    groups.note('logits', 'logits', await tensorError(scores, logits, tensors, spec.comparison, 'activation'));
    scores.dispose();
  }
  tf.dispose([...outputs.values()]);
  dispose();
}

async function runStep(
  spec: TrainingCase,
  step: number,
  compiled: CompiledPlan,
  optimizer: Optimizer | undefined,
  tensors: ReferenceTensors,
  groups: Groups,
): Promise<void> {
  const { images, targets, dispose } = batchOf(spec, step, tensors);
  const gradients = new Map<string, tf.Tensor>();
  const expectedGradients = step === 0 ? (spec.expected.gradients ?? {}) : {};
  const rate = spec.optimizer?.learningRate ?? 0;
  const trainStep = createTrainStep({
    compiled,
    optimizer: recordingOptimizer(optimizer, (name, gradient) => {
      if (expectedGradients[name] !== undefined) gradients.set(name, tf.keep(gradient.clone()));
    }),
    learningRate: rate,
  });
  const { losses, terms } = trainStep.run({ images, targets }, clockAt(step, 1, spec.inputs.length));
  const readLoss = async (name: string) => (await (losses.get(name) ?? terms.get(name))?.data())?.[0];
  if (step === 0) {
    for (const [name, expected] of Object.entries(spec.expected.losses ?? {})) {
      groups.note('losses', name, numberError(await readLoss(name), expected));
    }
    for (const [name, reference] of Object.entries(expectedGradients)) {
      const found = gradients.get(name);
      const error =
        found === undefined
          ? Number.POSITIVE_INFINITY
          : await tensorError(found, reference, tensors, spec.comparison, 'weight');
      groups.note('gradients', name, error);
    }
    await compareParameters('statistics', spec, compiled, tensors, groups);
    await compareEvaluation(spec, compiled, images, tensors, groups);
  }
  for (const [name, expected] of Object.entries(spec.expected.trajectory ?? {})) {
    if (expected[step] === undefined) continue;
    groups.note(
      'trajectory',
      `${name}, step ${step + 1}`,
      numberError(await readLoss(name), at(expected, step, 'loss')),
    );
  }
  tf.dispose([...gradients.values(), ...losses.values(), ...terms.values()]);
  dispose();
}

/** Records the gradients before passing them to `inner`; without `inner` they are disposed. */
function recordingOptimizer(
  inner: Optimizer | undefined,
  record: (name: string, gradient: tf.Tensor) => void,
): Optimizer {
  return {
    config: inner?.config ?? {},
    needsWholeStep: inner?.needsWholeStep ?? false,
    stateBytes: (parameter) => inner?.stateBytes(parameter) ?? 0,
    update(gradients, context) {
      for (const { parameter, gradient } of gradients) record(parameter.name, gradient);
      if (inner === undefined) tf.dispose(gradients.map(({ gradient }) => gradient));
      else inner.update(gradients, context);
    },
    state: () => inner?.state() ?? new Map(),
    load: (state) => inner?.load(state),
    dispose: () => inner?.dispose(),
  };
}

async function compareEvaluation(
  spec: TrainingCase,
  { network }: CompiledPlan,
  images: tf.Tensor4D,
  tensors: ReferenceTensors,
  groups: Groups,
): Promise<void> {
  const { evaluationLogits } = spec.expected;
  if (evaluationLogits === undefined) return;
  const scores = predict(network, images);
  const error = await tensorError(scores, evaluationLogits, tensors, spec.comparison, 'activation');
  groups.note('evaluation', 'logits', error);
  scores.dispose();
}

async function compareParameters(
  group: 'statistics' | 'weights' | 'averages',
  spec: TrainingCase,
  { parameters }: CompiledPlan,
  tensors: ReferenceTensors,
  groups: Groups,
): Promise<void> {
  for (const [name, reference] of Object.entries(spec.expected[group] ?? {})) {
    const found = parameters.get(name);
    const error =
      found === undefined
        ? Number.POSITIVE_INFINITY
        : await tensorError(found.value, reference, tensors, spec.comparison, 'weight');
    groups.note(group, name, error);
  }
}

function batchOf(
  spec: TrainingCase,
  step: number,
  tensors: ReferenceTensors,
): { images: tf.Tensor4D; targets: Targets; dispose(): void } {
  const input = at(spec.inputs, step, 'input');
  const imagesAt = (name: string): tf.Tensor4D => {
    const { shape, data } = tensors.activation(name);
    const values = tensors.stored(name).dtype === 'U8' ? data.map((value) => value / 255) : data;
    return tf.tensor4d(values, shape as [number, number, number, number]);
  };
  const images = imagesAt(input.images);
  const labels = tf.tensor1d(Int32Array.from(tensors.stored(input.labels).data), 'int32');
  const targets: Targets = input.pixels === undefined ? { labels } : { labels, images: imagesAt(input.pixels) };
  return { images, targets, dispose: () => tf.dispose([images, ...Object.values(targets)]) };
}
