import { requireOption } from '@localgrad/core';
import type { Observer, RunEndEvent } from '@localgrad/train';
import { scalarsOf } from '../scalars.js';
import { type Metric, MlflowClient, type MlflowStatus } from './client.js';
import { Delivery } from './delivery.js';
import { allowedKey, allowedPairs, lengthLimits } from './limits.js';
import { Retrier } from './retrier.js';

type Values = Readonly<Record<string, string | number | boolean>>;

export interface MlflowOptions {
  /** Of the tracking server, e.g. `http://localhost:5000`; a user name and password in it are sent as basic authentication. */
  readonly url: string;
  /** Name of the experiment, which is made where there is none. */
  readonly experiment: string;
  /** Default: MLflow makes one up. */
  readonly runName?: string;
  readonly parameters?: Values;
  readonly tags?: Values;
  /** Sent as a bearer token. */
  readonly token?: string;
  /** Goes on in this run, instead of a new one. */
  readonly runId?: string;
  /** Told of a new run's id once the server has named it: to be kept for `runId`. */
  readonly onRun?: (runId: string) => void;
  /** Told, in sentences, of what goes wrong with the server. Default: a warning of the process. */
  readonly onProblem?: (message: string) => void;
  /** Milliseconds before a request is repeated; twice as many before each further time, up to a minute. Default 500. */
  readonly retryDelay?: number;
  /** Clock in milliseconds since 1970. */
  readonly now?: () => number;
}

export interface MlflowTracker extends Observer {
  /** Waits until everything is sent, at most so many milliseconds (default 10 000); `onProblem` is told what was not. */
  close(milliseconds?: number): Promise<void>;
}

const statuses: Readonly<Record<RunEndEvent['status'], MlflowStatus>> = {
  completed: 'FINISHED',
  aborted: 'KILLED',
  failed: 'FAILED',
};

/**
 * Reports a run to an MLflow server over its REST API, in the background: a server that is slow or away neither delays
 * nor ends the run. Requests that cannot be answered now are repeated. Call `close` after training; without it, what was
 * not sent when the process ends is lost.
 *
 * @throws LocalgradError `invalid-option`
 */
export function mlflowTracker(options: MlflowOptions): MlflowTracker {
  const { experiment, parameters = {}, tags = {}, retryDelay = 500, now = Date.now } = options;
  const url = serverUrl(options.url);
  requireOption(experiment !== '', 'mlflowTracker', 'experiment', experiment, 'a name');
  requireOption(retryDelay > 0, 'mlflowTracker', 'retryDelay', retryDelay, 'milliseconds above 0');
  const onProblem = guarded(options.onProblem ?? ((message: string) => process.emitWarning(message)));
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  const retrier = new Retrier({
    firstDelay: retryDelay,
    onFailure: ({ message }) => onProblem(`The MLflow server at ${shown}: ${message}. It is tried again.`),
  });
  const run = {
    experiment,
    name: options.runName,
    runId: options.runId,
    params: allowedPairs(parameters, lengthLimits.param, 'Parameter', onProblem),
    tags: allowedPairs(tags, lengthLimits.tag, 'Tag', onProblem),
    onRun: guarded(options.onRun ?? (() => {})),
    onProblem,
  };
  const delivery = new Delivery(run, new MlflowClient(url, options.token), retrier);
  const keys = new Map<string, string>();
  let step = 0;

  const keyOf = (tag: string) => {
    const key = keys.get(tag) ?? allowedKey(tag);
    if (!keys.has(tag) && key !== tag) onProblem(`Metric '${tag}' is named '${key}' in MLflow.`);
    keys.set(tag, key);
    return key;
  };

  return {
    observe(event) {
      const timestamp = Math.round(now());
      delivery.start(timestamp);
      if (event.type === 'run-start') step = event.resumedAtStep ?? 0;
      if (event.type === 'step-end') step = event.step;
      const metrics = scalarsOf(event).map(
        ({ tag, value }): Metric => ({ key: keyOf(tag), value: jsonNumber(value), timestamp, step }),
      );
      if (metrics.length > 0) delivery.add(metrics);
      if (event.type === 'run-end') delivery.end({ status: statuses[event.status], time: timestamp });
    },
    close: (milliseconds = 10_000) => delivery.close(milliseconds),
  };
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url !== undefined && ['http:', 'https:'].includes(url.protocol);
  requireOption(isHttp, 'mlflowTracker', 'url', text, 'an http or https address');
  return url;
}

/** A callback that fails in the background would end the process. */
function guarded(callback: (text: string) => void): (text: string) => void {
  return (text) => {
    try {
      callback(text);
    } catch (error) {
      process.emitWarning(
        `A callback of mlflowTracker failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
}

function jsonNumber(value: number): Metric['value'] {
  return Number.isFinite(value) ? value : (String(value) as Metric['value']);
}
