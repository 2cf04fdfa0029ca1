import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@localgrad/nn/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { resultIn } from './results.js';

const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'apps/benchmark/dist/cli.js');

const config = `
method: mlaan(dgl)
backbone: resnet8
width: 2
modules: 4
resize: 8
trainImages: 400
testImages: 100
batch: 20
epochs: 25
backend: wasm
threads: 1
`;

interface Manifest {
  readonly service: { readonly metadata: { readonly name: string }; readonly spec: Service };
  readonly job: { readonly metadata: { readonly name: string }; readonly spec: Job };
}

interface Service {
  readonly clusterIP: string;
  readonly publishNotReadyAddresses: boolean;
  readonly selector: Readonly<Record<string, string>>;
}

interface Job {
  readonly completionMode: string;
  readonly completions: number;
  readonly parallelism: number;
  readonly backoffLimit: number;
  readonly podFailurePolicy: {
    readonly rules: readonly {
      readonly action: string;
      readonly onExitCodes: { readonly values: readonly number[] };
    }[];
  };
  readonly template: {
    readonly spec: {
      readonly subdomain: string;
      readonly restartPolicy: string;
      readonly containers: readonly [{ readonly name: string; readonly command: readonly string[] }];
    };
  };
}

/** The Service and the Job of docs/parallel.md. */
function documented(): Manifest {
  const page = readFileSync(join(root, 'docs/parallel.md'), 'utf8');
  const [, text = ''] = /^```yaml\n(apiVersion:[\s\S]*?)^```$/m.exec(page) ?? [];
  const [service, job] = parseAllDocuments(text).map((document) => document.toJS());
  return { service, job };
}

const { service, job } = documented();
const { completions, backoffLimit, podFailurePolicy, template } = job.spec;
const { command } = template.spec.containers[0];
/** Exit codes after which the Job is not tried again. */
const final = podFailurePolicy.rules.flatMap(({ onExitCodes }) => onExitCodes.values);

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-kubernetes-'));
  writeFileSync(join(folder, 'run.yaml'), config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function checkpoints(): string[] {
  const path = join(folder, 'first', 'checkpoints');
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.json')) : [];
}

/** An index of a Job: its pod is started again until it has succeeded, as the Job's controller does. */
class JobIndex {
  readonly exitCodes: (number | null)[] = [];
  log = '';
  #pod: ChildProcess | undefined;
  readonly #index: number;
  readonly #port: number;

  constructor(index: number, port: number) {
    this.#index = index;
    this.#port = port;
  }

  async run(): Promise<void> {
    for (let tries = 0; tries <= backoffLimit; tries++) {
      const code = await this.#runPod();
      this.exitCodes.push(code);
      if (code === 0) return;
      if (code !== null && final.includes(code)) break;
      await delay(200 + 700 * this.#index);
    }
    throw new Error(`Index ${this.#index} has failed (${this.exitCodes}):\n${this.log}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#pod?.kill(name);
  }

  #runPod(): Promise<number | null> {
    const [, ...args] = command.map((word) =>
      word
        .replaceAll('/runs', folder)
        // Names of pods are addresses of this machine.
        .replace(`${job.metadata.name}-{rank}.${service.metadata.name}:7470`, `127.0.0.1{rank}:${this.#port}`),
    );
    const pod = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, JOB_COMPLETION_INDEX: String(this.#index), LOCALGRAD_TOKEN: 'k'.repeat(32) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    pod.stderr.on('data', (text) => {
      this.log += text;
    });
    this.#pod = pod;
    return new Promise((done) => pod.once('exit', done));
  }
}

describe('the Job of docs/parallel.md', () => {
  it('has pods that find each other', () => {
    const { name } = job.metadata;
    expect(service.spec).toEqual({ clusterIP: 'None', publishNotReadyAddresses: true, selector: { 'job-name': name } });
    expect(template.spec.subdomain).toBe(service.metadata.name);
    expect(job.spec.completionMode).toBe('Indexed');
    expect(job.spec.parallelism).toBe(completions);
    expect(command[command.indexOf('--workers') + 1]).toBe(String(completions));
    expect(command[command.indexOf('--hosts') + 1]).toBe(`${name}-{rank}.${service.metadata.name}:7470`);
    // Rules for exit codes need pods that are replaced, and not restarted.
    expect(template.spec.restartPolicy).toBe('Never');
    expect(podFailurePolicy.rules.map(({ action }) => action)).toEqual(['FailJob']);
  });

  it('completes with the results of one process when its pods are killed and evicted', async () => {
    const port = 20_000 + createRandom(process.pid, 'port').integer(10_000);
    const indices = Array.from({ length: completions }, (_, index) => new JobIndex(index, port));
    const all = Promise.all(indices.map((index) => index.run()));
    const disturb = async () => {
      const disturbances: readonly (readonly [number, NodeJS.Signals])[] = [
        [1, 'SIGKILL'],
        [1, 'SIGTERM'],
        [0, 'SIGKILL'],
        [0, 'SIGTERM'],
      ];
      for (const [index, signal] of disturbances) {
        const before = checkpoints();
        while (checkpoints().every((name) => before.includes(name))) await delay(50);
        const exits = indices.map(({ exitCodes }) => exitCodes.length);
        indices[index]?.signal(signal);
        // A pod that saves on its way out makes a checkpoint, too; the next signal is for the pods that follow.
        while (indices.some(({ exitCodes }, at) => exitCodes.length === exits[at])) await delay(20);
      }
    };
    await Promise.all([all, Promise.race([all, disturb()])]);
    const counts = indices.map(({ exitCodes }) => exitCodes.length);
    expect(counts).toEqual(counts.map(() => 5));
    for (const { exitCodes } of indices) expect(exitCodes.at(-1)).toBe(0);

    const alone = join(folder, 'alone');
    const straight = spawnSync(process.execPath, [program, 'train', join(folder, 'run.yaml'), '--output', alone]);
    expect(straight.status).toBe(0);
    const [run, other] = ['first', 'alone'].map((name) => join(folder, name));
    expect(resultIn(run ?? '').epochs).toEqual(resultIn(other ?? '').epochs);
    const [weights, expected] = [run, other].map((name) => readFileSync(join(name ?? '', 'weights.safetensors')));
    expect(weights?.equals(expected ?? new Uint8Array())).toBe(true);
  });

  it('is not tried again after a wrong option', () => {
    const wrong = spawnSync(process.execPath, [program, 'train', '--workers', '2', '--hosts', 'a{rank}'], {
      env: { ...process.env, JOB_COMPLETION_INDEX: '2', LOCALGRAD_TOKEN: 'k'.repeat(32) },
      encoding: 'utf8',
    });
    expect(final).toContain(wrong.status);
    expect(wrong.stderr).toContain('JOB_COMPLETION_INDEX');
  });
});
