import { rejectUnknownKeys } from '@localgrad/core';
import type { EvaluationSet } from '../evaluation-records.js';
import type {
  EpochEndEvent,
  Losses,
  Observer,
  RunEndEvent,
  RunStartEvent,
  StepEndEvent,
  TrainingEvent,
} from '../events.js';
import { formatBytes } from '../memory-check.js';
import { accuracyMetric, formatMetric, metricValue } from '../metric.js';

/** The part of a Node stream that the progress display uses. */
export interface ProgressStream {
  /** Whether the stream is a terminal, on which the bar is redrawn. */
  readonly isTTY?: boolean;
  /** Width of the terminal in characters. */
  readonly columns?: number;
  /** Writes text. */
  write(text: string): unknown;
}

/** Options of `consoleProgress`. */
export interface ConsoleProgressOptions {
  /** Prefix of every line, e.g. the run's name. */
  readonly label?: string;
  /** Minimum milliseconds between updates of the bar. Default 100. */
  readonly interval?: number;
  /** Clock in milliseconds. */
  readonly now?: () => number;
}

/** Shows a progress bar with the remaining time on a terminal; writes one plain line per epoch elsewhere. */
export function consoleProgress(stream: ProgressStream, options: ConsoleProgressOptions = {}): Observer {
  rejectUnknownKeys('consoleProgress', options, ['label', 'interval', 'now']);
  const { label = '', interval = 100, now = () => performance.now() } = options;
  const isTerminal = stream.isTTY === true;
  const prefix = label === '' ? '' : `${label}  `;
  let startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let loss: number | undefined;
  let classifier: string | undefined;

  const line = (text: string) => stream.write(`${isTerminal ? '\r\u001b[2K' : ''}${prefix}${text}\n`);
  const draw = (event: StepEndEvent) => {
    if (now() - drawnAt < interval && event.step < event.steps) return;
    drawnAt = now();
    const elapsed = (now() - startedAt) / 1000;
    const left = (elapsed / event.step) * (event.steps - event.step);
    const tail =
      ` ${percent(event.step / event.steps)}  step ${event.step}/${event.steps}` +
      `${loss === undefined ? '' : `  loss ${loss.toFixed(3)}`}  ${formatSeconds(left)} left`;
    const room = (stream.columns ?? 80) - prefix.length - tail.length - 1;
    stream.write(`\r\u001b[2K${prefix}${bar(event.step / event.steps, Math.min(30, room))}${tail}`);
  };

  const handlers: { [Type in TrainingEvent['type']]?: (event: Extract<TrainingEvent, { type: Type }>) => void } = {
    'run-start': (event) => {
      startedAt = now();
      classifier = event.classifier;
      line(describeRun(event));
    },
    'step-end': (event) => {
      if (event.losses !== undefined) loss = lossOf(event.losses, classifier);
      if (isTerminal) draw(event);
    },
    recording: (event) => {
      if (event.mode === 'ordinary') line(`steps are not recorded, which would be faster, because ${event.reason}`);
    },
    'epoch-end': (event) => line(describeEpoch(event, classifier)),
    'run-end': (event) => line(describeEnd(event)),
  };
  return {
    observe(event) {
      (handlers[event.type] as ((event: TrainingEvent) => void) | undefined)?.(event);
    },
  };
}

function describeRun(event: RunStartEvent): string {
  const { method, backbone, modules, backend, epochs, stepsPerEpoch, batchSize, parameters, predictedPeakBytes } =
    event;
  return (
    `${method} on ${backbone}, ${modules} module${modules === 1 ? '' : 's'}, ${parameters.toLocaleString('en-US')} weights: ` +
    `${epochs} × ${stepsPerEpoch} steps of ${batchSize}, ${backend}, predicted peak ${formatBytes(predictedPeakBytes)}`
  );
}

function describeEpoch(event: EpochEndEvent, classifier: string | undefined): string {
  const loss = lossOf(event.losses, classifier);
  const test = chosenValue(event, 'test');
  const isDiverged = event.diverged === true;
  const isLossShown = isDiverged || (test !== '' && event.metric?.name !== 'loss');
  const tested = `${test}${isLossShown ? `  test loss ${event.testLoss?.toFixed(3)}` : ''}${isDiverged ? ' (diverged)' : ''}`;
  return (
    `epoch ${event.epoch}/${event.epochs}  loss ${loss?.toFixed(3) ?? '–'}${chosenValue(event, 'validation')}${tested}  ` +
    `${Math.round(event.imagesPerSecond)} images/s  peak ${formatBytes(event.peakBytes)}`
  );
}

/** The metric by which epochs are chosen, on a set of images; empty if it was not measured. */
function chosenValue(event: EpochEndEvent, set: EvaluationSet): string {
  const { metric = accuracyMetric } = event;
  const value = metricValue(event, set, metric);
  return value === undefined ? '' : `  ${set} ${metric.name} ${formatMetric(metric, value, 1)}`;
}

function describeEnd(event: RunEndEvent): string {
  const { metric = accuracyMetric, testAccuracy, testMetrics } = event;
  const value = metricValue({ testAccuracy, ...(testMetrics === undefined ? {} : { testMetrics }) }, 'test', metric);
  const result =
    value === undefined
      ? ''
      : `test ${metric.name} ${formatMetric(metric, value, 1)}${event.diverged === true ? ' (diverged)' : ''}, `;
  const text = `${result}peak ${formatBytes(event.peakBytes)}, ${formatSeconds(event.seconds)} of training`;
  return event.status === 'completed'
    ? `done: ${text}`
    : `${event.status} after ${event.steps} steps: ${event.reason ?? ''}`;
}

/** The loss of the network's own classifier; undefined in phases without it. */
function lossOf(losses: Losses, classifier: string | undefined): number | undefined {
  return (classifier === undefined ? undefined : losses[classifier]) ?? Object.values(losses).at(-1);
}

function bar(share: number, width: number): string {
  if (width < 3) return '';
  const full = Math.round(share * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `7 s`, `2 min 05 s`, `1 h 10 min` */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(rounded / 60);
  return minutes < 60
    ? `${minutes} min ${two(rounded % 60)} s`
    : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
