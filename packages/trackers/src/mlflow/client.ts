import { Answer, readAnswer } from './answer.js';
import { answerFailure, connectionFailure, MlflowFailure } from './failure.js';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface Metric {
  readonly key: string;
  /** As text if JSON has no number for the value. */
  readonly value: number | 'NaN' | 'Infinity' | '-Infinity';
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

export interface Batch {
  readonly metrics?: readonly Metric[];
  readonly params?: readonly KeyValue[];
  readonly tags?: readonly KeyValue[];
}

export type MlflowStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface NewRun {
  readonly experimentId: string;
  readonly name: string | undefined;
  /** Milliseconds since 1970. */
  readonly startTime: number;
  readonly tags: readonly KeyValue[];
}

const requestMilliseconds = 10_000;

/** The requests of the MLflow REST API 2.0 that a run needs, each tried once. All throw {@link MlflowFailure}. */
export class MlflowClient {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: URL, authorization: string | undefined) {
    this.#base = new URL('api/2.0/mlflow/', withSlash(url));
    this.#headers = {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    };
    // `fetch` rejects URLs with credentials, and messages would show them.
    this.#base.username = '';
    this.#base.password = '';
  }

  /** Returns the ID of the experiment with this name; creates the experiment if it does not exist. */
  async experiment(name: string, signal: AbortSignal): Promise<string> {
    const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
    const find = async () => (await this.#request('GET', path, signal)).text('experiment', 'experiment_id');
    try {
      return await find();
    } catch (error) {
      if (!isCode(error, 'RESOURCE_DOES_NOT_EXIST')) throw error;
    }
    try {
      return (await this.#post('experiments/create', { name }, signal)).text('experiment_id');
    } catch (error) {
      // Another run of the sweep created it first.
      if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
      return find();
    }
  }

  /** Returns the ID of the new run. */
  async createRun({ experimentId, name, startTime, tags }: NewRun, signal: AbortSignal): Promise<string> {
    const body = { experiment_id: experimentId, run_name: name, start_time: startTime, tags };
    return (await this.#post('runs/create', body, signal)).text('run', 'info', 'run_id');
  }

  /** Returns the ID of the run with this tag, if one exists. */
  async findRun(experimentId: string, tag: KeyValue, signal: AbortSignal): Promise<string | undefined> {
    const filter = `tags.\`${tag.key}\` = '${tag.value}'`;
    const body = { experiment_ids: [experimentId], filter, max_results: 1 };
    return (await this.#post('runs/search', body, signal)).optionalText('runs', 0, 'info', 'run_id');
  }

  async logBatch(runId: string, batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#post('runs/log-batch', { run_id: runId, ...batch }, signal);
  }

  /** @param endTime milliseconds since 1970 */
  async updateRun(
    runId: string,
    status: MlflowStatus,
    endTime: number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#post('runs/update', { run_id: runId, status, end_time: endTime }, signal);
  }

  #post(path: string, body: object, signal: AbortSignal): Promise<Answer> {
    return this.#request('POST', path, signal, JSON.stringify(body));
  }

  async #request(method: string, path: string, signal: AbortSignal, body?: string): Promise<Answer> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, this.#base), {
        method,
        headers: this.#headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestMilliseconds)]),
        ...(body === undefined ? {} : { body }),
      });
      text = await readAnswer(response);
    } catch (error) {
      throw error instanceof MlflowFailure ? error : connectionFailure(error);
    }
    if (!response.ok) throw answerFailure(response, text);
    return new Answer(text);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof MlflowFailure && error.code === code;
}

function withSlash(url: URL): URL {
  const copy = new URL(url);
  if (!copy.pathname.endsWith('/')) copy.pathname += '/';
  return copy;
}
