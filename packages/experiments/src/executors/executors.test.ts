import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { hashOf } from '@localgrad/runs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseExperiment } from '../files/experiment.js';
import { summaryOf } from '../sweep/summary.fixture.js';
import { runFolderOf, type Sweep, writeSweep } from '../sweep/sweep-folder.js';
import { kubernetesJob, shellList } from './manifest.js';
import { mebibytes } from './resources.js';
import { inGroups, quoted } from './shell.js';
import { slurmScript } from './slurm-script.js';
import { submitToSlurm } from './submit-slurm.js';

let folder: string;
let sweep: Sweep;
let path: string | undefined;
beforeEach(async () => {
  path = process.env.PATH;
  folder = mkdtempSync(join(tmpdir(), 'localgrad-executors-'));
  const schema = z.strictObject({ method: z.string(), seed: z.int().default(1) });
  const text = 'name: demo\nbase: { method: "{m}" }\nfactors: { m: [a, b, c] }\nseeds: 2\n';
  sweep = await writeSweep(join(folder, 'sweep'), await parseExperiment(text, 'e.yaml', { schema }), {
    runIdOf: hashOf,
  });
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true, force: true });
});

const script = {
  worker: { program: ['node', '/opt/it is/cli.js'], folder: '/data/sweep' },
  name: 'demo',
  taskFile: '/data/sweep/slurm/tasks.txt',
  elements: 6,
  workingFolder: '/home/me',
  logFolder: '/data/sweep/slurm',
} as const;

describe('slurmScript', () => {
  it('requests the given resources with the flags of Slurm', () => {
    const text = slurmScript({
      ...script,
      gpus: 1,
      cpus: 4,
      memory: '1.5GiB',
      minutes: 90,
      partition: 'short',
      account: 'lab',
      parallelism: 2,
      extra: ['--constraint=a100'],
    });
    expect(text.split('\n').filter((line) => line.startsWith('#SBATCH'))).toEqual([
      '#SBATCH --job-name=localgrad-demo',
      '#SBATCH --array=0-5%2',
      '#SBATCH --cpus-per-task=4',
      '#SBATCH --gpus=1',
      '#SBATCH --mem=1536M',
      '#SBATCH --time=90',
      '#SBATCH --partition=short',
      '#SBATCH --account=lab',
      '#SBATCH --requeue',
      '#SBATCH --open-mode=append',
      '#SBATCH --signal=B:USR1@120',
      '#SBATCH --chdir=/home/me',
      '#SBATCH --output=/data/sweep/slurm/%A_%a.log',
      '#SBATCH --constraint=a100',
    ]);
    expect(text).toContain(`node '/opt/it is/cli.js' worker /data/sweep --threads 4 --task "$tasks" &`);
  });

  it('is a script that runs the tasks of its line, and goes back to the queue when it is asked to', () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const program = (name: string, body: string) => {
      writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
      chmodSync(join(bin, name), 0o755);
      return join(bin, name);
    };
    const worker = program(
      'worker',
      'trap "echo saved; exit 0" TERM\necho "$@"\nkill -USR1 $PPID\nwhile :; do sleep 0.05; done',
    );
    program('scontrol', 'echo "scontrol $*"');
    const taskFile = join(folder, 'tasks.txt');
    writeFileSync(taskFile, '0,1\n2,3\n');
    const file = join(folder, 'job.sh');
    writeFileSync(file, slurmScript({ ...script, taskFile, worker: { program: [worker], folder: '/s' } }));
    const env = {
      ...process.env,
      PATH: `${bin}${delimiter}${path}`,
      SLURM_ARRAY_TASK_ID: '1',
      SLURM_ARRAY_JOB_ID: '77',
    };
    const { stdout, status } = spawnSync('bash', [file], { encoding: 'utf8', env });
    expect(stdout.trim().split('\n')).toEqual(['worker /s --threads 1 --task 2,3', 'saved', 'scontrol requeue 77_1']);
    expect(status).toBe(0);
    // Without a place in the queue the job must not look like one that is done.
    program('scontrol', 'exit 3');
    expect(spawnSync('bash', [file], { env }).status).toBe(1);
  });

  it.each([
    [{ cpus: 0 }, /cpus: 0; allowed: whole numbers from 1 on/],
    [{ gpus: -1 }, /gpus: -1; allowed: whole numbers from 0 on/],
    [{ minutes: 4 }, /minutes: 4; allowed: at least 5.*two minutes/],
    [{ memory: '8 GB' }, /memory: '8 GB'; allowed: a number with MiB, GiB or TiB/],
    [{ logFolder: '/a b' }, /does not accept '--output=\/a b\/%A_%a\.log'.*no spaces/],
    [{ partition: 'x\n#SBATCH --y' }, /does not accept/],
  ])('rejects %j', (wrong, message) => {
    expect(() => slurmScript({ ...script, ...wrong })).toThrow(message);
  });
});

describe('submitToSlurm', () => {
  it('submits the remaining runs, with at most the allowed array size, and records the job', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'sbatch'), '#!/bin/sh\necho "4711;cluster"\n');
    chmodSync(join(bin, 'sbatch'), 0o755);
    process.env.PATH = `${bin}${delimiter}${path}`;
    const done = runFolderOf(sweep, sweep.tasks[1] as (typeof sweep.tasks)[0]);
    mkdirSync(done, { recursive: true });
    writeFileSync(join(done, 'summary.json'), JSON.stringify(summaryOf('done')));
    const submission = await submitToSlurm({ sweep, program: ['localgrad'], maximumArraySize: 3 });
    expect(submission).toMatchObject({ jobId: '4711', elements: 3, runs: 5 });
    const tasks = submission.script.replace('job-', 'tasks-').replace(/\.sh$/, '.txt');
    expect(readFileSync(tasks, 'utf8')).toBe('0,2\n3,4\n5\n');
    expect(readFileSync(submission.script, 'utf8')).toContain('--array=0-2\n');
    const jobs = readFileSync(join(sweep.folder, 'slurm', 'jobs.jsonl'), 'utf8');
    expect(JSON.parse(jobs)).toMatchObject({ jobId: '4711', runs: 5 });
  });

  it('reports the message of Slurm, or that sbatch is missing', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    process.env.PATH = bin;
    await expect(submitToSlurm({ sweep, program: ['localgrad'] })).rejects.toThrow(/no 'sbatch' here/);
    writeFileSync(join(bin, 'sbatch'), '#!/bin/sh\necho "invalid partition specified: x" >&2\nexit 1\n');
    chmodSync(join(bin, 'sbatch'), 0o755);
    await expect(submitToSlurm({ sweep, program: ['localgrad'] })).rejects.toThrow(
      /rejects .*job-.*\.sh: invalid partition specified: x/,
    );
    expect(existsSync(join(sweep.folder, 'slurm', 'jobs.jsonl'))).toBe(false);
  });
});

describe('manifests', () => {
  it('list commands for a shell', () => {
    expect(
      shellList({ sweep: { ...sweep, folder: '/a b' }, program: ['localgrad'], tasks: [0, 1, 4], runsPerJob: 2 }),
    ).toBe("localgrad worker '/a b' --task 0,1\nlocalgrad worker '/a b' --task 4\n");
  });

  it('are a Job of Kubernetes with an index for each run', () => {
    const job = parse(
      kubernetesJob({
        sweep: { ...sweep, name: 'My.Sweep' },
        image: 'lab/localgrad:1',
        volumeClaim: 'shared',
        cpus: 2,
        gpus: 1,
        memory: '4GiB',
        parallelism: 4,
        queue: 'team',
      }),
    );
    expect(job.metadata).toEqual({ name: 'localgrad-my-sweep', labels: { 'kueue.x-k8s.io/queue-name': 'team' } });
    expect(job.spec).toMatchObject({ completions: 6, parallelism: 4, completionMode: 'Indexed', suspend: true });
    const [container] = job.spec.template.spec.containers;
    expect(container.command).toEqual([
      'sh',
      '-c',
      'exec localgrad worker /localgrad/sweep --threads 2 --task "$JOB_COMPLETION_INDEX"',
    ]);
    expect(container.resources.limits).toEqual({ cpu: '2', memory: '4096Mi', 'nvidia.com/gpu': '1' });
    const [rule] = job.spec.podFailurePolicy.rules;
    expect(rule).toEqual({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] });
    // Runs that were added after others had been dropped have indices of their own.
    const grown = parse(kubernetesJob({ sweep: { ...sweep, nextIndex: 9 }, image: 'i', volumeClaim: 'c' }));
    expect(grown.spec).toMatchObject({ completions: 9, parallelism: 6 });
    expect(() => kubernetesJob({ sweep, image: 'i', volumeClaim: 'c', folder: '/elsewhere' })).toThrow(
      /does not lie in the shared volume/,
    );
  });
});

describe('words', () => {
  it('reach a command as they are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii' }).filter((text) => !text.includes('\0')),
        (word) => {
          const { stdout } = spawnSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' });
          expect(stdout).toBe(word);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are split into groups that contain all of them, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 9 }), (items, size) => {
        const groups = inGroups(items, size);
        expect(groups.flat()).toEqual(items);
        expect(groups.every((group, index) => group.length === size || index === groups.length - 1)).toBe(true);
      }),
    );
    expect(mebibytes('2TiB')).toBe(2 * 1024 ** 2);
  });
});
