import {
  bytesOf,
  endOfTraining,
  evaluationMode,
  formatShape,
  get,
  type Head,
  type HeadCost,
  type HeadFactoryTerm,
  type HeadRequest,
  LocalgradError,
  type Parameter,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { add, mul, type Scalar, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { addGradients, parametersOf, statisticsOf } from '../blocks/add-gradients.js';
import { Ledger } from '../blocks/ledger.js';
import { headCostOf, isCostKnown } from '../cost/cost-of.js';
import { choiceOf } from './choice.js';

/** One of several losses on the same input. */
export interface HeadTerm {
  /** Name of the term in logs. */
  readonly name: string;
  /** Weight of its loss; a finite number > 0. */
  readonly weight: number;
  /** The head that computes the term. */
  readonly head: Head;
}

/**
 * Combines several heads on the same input into one head whose loss is the weighted sum of theirs (InfoPro:
 * reconstruction and classification). Reports each unweighted loss as a term. Predictions and metrics other than the
 * loss are those of the first head with `predict`.
 *
 * @throws LocalgradError `shape-mismatch` when their input shapes differ, `invalid-option` for an empty list or invalid
 *   weights
 */
export function combinedHead(name: string, terms: readonly HeadTerm[]): Head {
  const [first] = terms;
  if (first === undefined) {
    throw new LocalgradError('invalid-option', `combinedHead '${name}': no terms; at least one is required.`, { name });
  }
  for (const term of terms) {
    if (!(Number.isFinite(term.weight) && term.weight > 0)) {
      throw new LocalgradError(
        'invalid-option',
        `combinedHead '${name}': term '${term.name}' has weight ${term.weight}; allowed: finite numbers > 0.`,
        { name, term: term.name, weight: term.weight },
      );
    }
    if (!sameShape(term.head.inputShape, first.head.inputShape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `combinedHead '${name}': '${first.name}' reads ${formatShape(first.head.inputShape)}, '${term.name}' ${formatShape(term.head.inputShape)}; they must be equal.`,
        { name, first: first.head.inputShape, second: term.head.inputShape },
      );
    }
  }
  const predictor = terms.find(({ head }) => head.predict !== undefined)?.head;
  const predict = predictor?.predict;
  const summarize = predictor?.summarize;
  return {
    name,
    inputShape: first.head.inputShape,
    parameters: parametersOf(terms.map(({ head }) => head)),
    statistics: statisticsOf(terms.map(({ head }) => head)),
    ...(terms.every(({ head }) => isCostKnown(head)) ? { cost: combinedCost(terms) } : {}),
    termWeights: new Map(terms.map((term) => [term.name, term.weight])),
    reads: [...new Set(terms.flatMap(({ head }) => head.reads ?? ['labels']))],
    state: terms.flatMap(({ head }) => head.state ?? []),
    averages: terms.flatMap(({ head }) => head.averages ?? []),
    evaluate: (h, targets, request) => evaluateTerms(terms, h, targets, request),
    measure: (h, targets) => measureTerms(terms, predictor, h, targets),
    ...(predict === undefined ? {} : { predict: (h) => predict.call(predictor, h) }),
    ...(summarize === undefined ? {} : { summarize: (counts) => metricsOf(summarize.call(predictor, counts)) }),
    ...choiceOf(predictor),
  };
}

/** Builds one head of the losses that a factory declares. @param build builds the head of one loss */
export function headOfTerms(
  name: string,
  terms: readonly HeadFactoryTerm[],
  build: (term: HeadFactoryTerm) => Head,
): Head {
  return combinedHead(
    name,
    terms.map((term) => ({ name: term.name, weight: term.weight, head: build(term) })),
  );
}

function evaluateTerms(terms: readonly HeadTerm[], h: Tensor4D, targets: Targets, request: HeadRequest) {
  const values = new Map<string, Scalar>();
  const parameters = new Map<Parameter, Tensor>();
  let input: Tensor4D | undefined;
  for (const { name, weight, head } of terms) {
    const result = head.evaluate(h, targets, { ...request, weight: request.weight * weight });
    values.set(name, result.loss);
    for (const inner of result.terms?.values() ?? []) inner.dispose();
    addGradients(parameters, result.parameters);
    if (result.input === undefined) continue;
    if (input === undefined) input = result.input;
    else {
      input = currentKernels().accumulate(input, result.input);
      result.input.dispose();
    }
  }
  const loss = tidy(() =>
    terms
      .map(({ name, weight }) => mul<Scalar>(get(values, name, 'term'), weight))
      .reduce((sum, value) => add<Scalar>(sum, value)),
  );
  return { loss, terms: values, parameters, ...(input === undefined ? {} : { input }) };
}

function measureTerms(
  terms: readonly HeadTerm[],
  predictor: Head | undefined,
  h: Tensor4D,
  targets: Targets,
): ReadonlyMap<string, Tensor> {
  const request = { mode: evaluationMode, weight: 1, input: false, clock: endOfTraining };
  const { loss, terms: values } = evaluateTerms(terms, h, targets, request);
  for (const value of values.values()) value.dispose();
  const metrics = new Map(predictor?.measure?.(h, targets));
  metrics.get('loss')?.dispose();
  return metrics.set('loss', loss);
}

/** Without the predictor's own loss, which is one of several. */
function metricsOf({ loss: _, ...metrics }: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return metrics;
}

function combinedCost(terms: readonly HeadTerm[]): HeadCost {
  return {
    get multiplyAccumulates() {
      return terms.reduce((sum, { head }) => sum + headCostOf(head).multiplyAccumulates, 0);
    },
    evaluatePeakBytes: (batchSize) => evaluatePeakBytes(terms, batchSize),
  };
}

function evaluatePeakBytes(terms: readonly HeadTerm[], batchSize: number): number {
  const ledger = new Ledger();
  terms.forEach(({ head }, index) => {
    ledger.touch(headCostOf(head).evaluatePeakBytes(batchSize));
    const gradients = head.parameters.reduce((sum, { kind, size }) => sum + (kind === 'weight' ? 4 * size : 0), 0);
    ledger.take(4 + gradients + (index === 0 ? bytesOf(head.inputShape, batchSize) : 0));
  });
  return ledger.peak;
}
