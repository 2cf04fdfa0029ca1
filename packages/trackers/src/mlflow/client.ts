import { answerFailure, connectionFailure, MlflowFailure } from './failure.js';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface Metric {
  readonly key: string;
  /** Text where JSON has no number for it. */
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

/** The requests of MLflow's REST API 2.0 that a run needs, each tried once. All throw {@link MlflowFailure}. */
export class MlflowClient {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param url of the server. A user name and password in it are sent as basic authentication */
  constructor(url: URL, token: string | undefined) {
    this.#base = new URL('api/2.0/mlflow/', withSlash(url));
    const basic = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    const authorization =
      token !== undefined ? `Bearer ${token}` : url.username === '' ? undefined : `Basic ${btoa(basic)}`;
    this.#headers = {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    };
    // `fetch` refuses addresses with secrets in them, and they would show in messages.
    this.#base.username = '';
    this.#base.password = '';
  }

  /** The id of the experiment of this name, which is made where there is none. */
  async experiment(name: string, signal: AbortSignal): Promise<string> {
    const find = async () => {
      const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
      return (await this.#request<{ experiment: { experiment_id: string } }>('GET', path, signal)).experiment
        .experiment_id;
    };
    try {
      return await find();
    } catch (error) {
      if (!isCode(error, 'RESOURCE_DOES_NOT_EXIST')) throw error;
    }
    try {
      return (await this.#post<{ experiment_id: string }>('experiments/create', { name }, signal)).experiment_id;
    } catch (error) {
      // Another run of the sweep was first.
      if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
      return find();
    }
  }

  /** The new run's id. */
  async createRun({ experimentId, name, startTime, tags }: NewRun, signal: AbortSignal): Promise<string> {
    const body = { experiment_id: experimentId, run_name: name, start_time: startTime, tags };
    return (await this.#post<{ run: { info: { run_id: string } } }>('runs/create', body, signal)).run.info.run_id;
  }

  /** The id of the run with this tag, if there is one. */
  async findRun(experimentId: string, tag: KeyValue, signal: AbortSignal): Promise<string | undefined> {
    const filter = `tags.\`${tag.key}\` = '${tag.value}'`;
    const body = { experiment_ids: [experimentId], filter, max_results: 1 };
    const { runs } = await this.#post<{ runs?: { info: { run_id: string } }[] }>('runs/search', body, signal);
    return runs?.[0]?.info.run_id;
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

  #post<Answer>(path: string, body: object, signal: AbortSignal): Promise<Answer> {
    return this.#request('POST', path, signal, JSON.stringify(body));
  }

  async #request<Answer>(method: string, path: string, signal: AbortSignal, body?: string): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#base), {
        method,
        headers: this.#headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestMilliseconds)]),
        ...(body === undefined ? {} : { body }),
      });
      if (response.ok) return (await response.json()) as Answer;
    } catch (error) {
      if (error instanceof SyntaxError) throw new MlflowFailure('it answers with something that is not JSON');
      throw connectionFailure(error);
    }
    throw await answerFailure(response);
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
