import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KeyValue, Metric } from './client.js';

/**
 * Fault of a request: an answer with this status, a connection that is cut before or after the request was processed, no
 * answer, an answer of another shape, or an endless answer.
 */
export type Fault = 500 | 503 | 429 | 'cut-before' | 'cut-after' | 'hang' | 'null' | 'html' | 'endless';

interface StoredRun {
  name: string | undefined;
  experimentId: string;
  status: string;
  endTime?: number;
  readonly metrics: Metric[];
  readonly params: Map<string, string>;
  readonly tags: Map<string, string>;
}

/** Fields of a request; which are present depends on the path. */
type Body = Partial<Record<'name' | 'run_id' | 'experiment_id' | 'run_name' | 'status' | 'filter', string>> & {
  start_time?: number;
  end_time?: number;
  metrics?: Metric[];
  params?: KeyValue[];
  tags?: KeyValue[];
};

class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Imitates an MLflow server (REST API 2.0) as far as trackers can tell, with injected faults. */
export class MlflowServer {
  readonly experiments = new Map<string, string>();
  readonly runs = new Map<string, StoredRun>();
  /** Paths in order of arrival, with their faults. */
  readonly requests: string[] = [];
  readonly authorizations = new Set<string | undefined>();
  /** Bytes sent in endless answers. */
  sentBytes = 0;
  /** Faults of the next requests, one each. */
  faults: (Fault | undefined)[] = [];
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get onlyRun(): StoredRun {
    const [run, ...others] = this.runs.values();
    if (run === undefined || others.length > 0) throw new Error(`There are ${this.runs.size} runs.`);
    return run;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '', 'http://localhost');
    const path = url.pathname.replace('/api/2.0/mlflow/', '');
    const fault = this.faults.shift();
    this.requests.push(fault === undefined ? path : `${path} ${fault}`);
    this.authorizations.add(request.headers.authorization);
    if (fault === 'hang') return;
    if (fault === 'cut-before') return void request.socket.destroy();
    if (fault === 'null') return answer(response, 200, null);
    if (fault === 'html') return void response.end('<!doctype html><title>Sign in</title>');
    if (fault === 'endless') return sendEndlessly(response, () => (this.sentBytes += 65536));
    if (typeof fault === 'number') return answer(response, fault, { error_code: 'TEMPORARILY_UNAVAILABLE' });
    const body = chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Body);
    let status = 200;
    let content: object;
    try {
      content = this.#carryOut(path, body, url.searchParams);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      status = error.status;
      content = { error_code: error.code, message: error.message };
    }
    if (fault === 'cut-after') return void request.socket.destroy();
    answer(response, status, content);
  }

  #carryOut(path: string, body: Body, query: URLSearchParams): object {
    switch (path) {
      case 'experiments/get-by-name': {
        const id = this.experiments.get(query.get('experiment_name') ?? '');
        if (id === undefined) throw new Refusal(404, 'RESOURCE_DOES_NOT_EXIST', 'No such experiment.');
        return { experiment: { experiment_id: id } };
      }
      case 'experiments/create': {
        const name = body.name ?? '';
        if (this.experiments.has(name)) throw new Refusal(400, 'RESOURCE_ALREADY_EXISTS', 'There is one.');
        const id = String(this.experiments.size + 1);
        this.experiments.set(name, id);
        return { experiment_id: id };
      }
      case 'runs/create': {
        const id = `run${this.runs.size + 1}`;
        const { run_name: name, experiment_id: experimentId = '', tags = [] } = body;
        const run = { name, experimentId, status: 'RUNNING', metrics: [], params: new Map(), tags: pairs(tags) };
        this.runs.set(id, run);
        return { run: { info: { run_id: id } } };
      }
      case 'runs/search': {
        const [, key = '', value] = /^tags\.`(.+)` = '(.+)'$/.exec(body.filter ?? '') ?? [];
        const found = [...this.runs].filter(([, { tags }]) => tags.get(key) === value);
        return found.length === 0 ? {} : { runs: found.map(([id]) => ({ info: { run_id: id } })) };
      }
      case 'runs/log-batch':
        return this.#logBatch(body);
      case 'runs/update': {
        const run = this.#find(body);
        run.status = body.status ?? run.status;
        if (body.end_time !== undefined) run.endTime = body.end_time;
        return {};
      }
    }
    throw new Refusal(404, 'ENDPOINT_NOT_FOUND', path);
  }

  #logBatch(body: Body): object {
    const run = this.#find(body);
    const { metrics = [], params = [], tags = [] } = body;
    const refuse = (message: string): never => {
      throw new Refusal(400, 'INVALID_PARAMETER_VALUE', message);
    };
    if (metrics.length > 1000 || params.length > 100 || tags.length > 100) refuse('Too many entities.');
    if (JSON.stringify(body).length > 1e6) refuse('Request too large.');
    for (const { key } of [...metrics, ...params, ...tags]) if (!/^[\w\-. :/]{1,250}$/.test(key)) refuse(`Key ${key}.`);
    for (const { key, value } of params) {
      if (value.length > 6000) refuse('Value too long.');
      if ((run.params.get(key) ?? value) !== value) refuse('Changing param values is not allowed.');
    }
    // Equal values are stored once, as in MLflow.
    const known = new Set(run.metrics.map((metric) => JSON.stringify(metric)));
    run.metrics.push(...metrics.filter((metric) => !known.has(JSON.stringify(metric))));
    for (const [key, value] of pairs(params)) run.params.set(key, value);
    for (const [key, value] of pairs(tags)) run.tags.set(key, value);
    return {};
  }

  #find({ run_id: id = '' }: Body): StoredRun {
    const run = this.runs.get(id);
    if (run === undefined) throw new Refusal(404, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${id} not found.`);
    return run;
  }
}

/** Sends as fast as the client reads. */
function sendEndlessly(response: ServerResponse, onChunk: () => void): void {
  const send = () => {
    while (!response.destroyed) {
      onChunk();
      if (!response.write(' '.repeat(65536))) break;
    }
  };
  response.on('drain', send);
  send();
}

function answer(response: ServerResponse, status: number, content: object | null): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
}

function pairs(items: readonly KeyValue[]): Map<string, string> {
  return new Map(items.map(({ key, value }) => [key, value]));
}
