import { basename, resolve } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { stringify } from 'yaml';
import type { Sweep } from '../sweep/sweep-folder.js';
import { checkResources, mebibytes, type Resources } from './resources.js';
import { inGroups, quoted, workerWords } from './shell.js';

export interface ShellListOptions {
  readonly sweep: Sweep;
  readonly program: readonly string[];
  readonly cpus?: number | undefined;
  /** Indices of the tasks to list. */
  readonly tasks: readonly number[];
  readonly runsPerJob?: number | undefined;
}

/** One command per line, for `parallel`, `xargs -P`, or a scheduler that takes commands. */
export function shellList({ sweep, program, cpus, tasks, runsPerJob = 1 }: ShellListOptions): string {
  const words = workerWords({ program, folder: sweep.folder }, cpus).map(quoted).join(' ');
  return inGroups(tasks, runsPerJob)
    .map((group) => `${words} --task ${group.join(',')}\n`)
    .join('');
}

export interface KubernetesOptions extends Resources {
  readonly sweep: Sweep;
  readonly image: string;
  /** Claim of a volume that all pods share; mounted at `mountPath`. */
  readonly volumeClaim: string;
  /** Default `/localgrad`. The sweep's folder must lie in it. */
  readonly mountPath?: string | undefined;
  /** Folder of the sweep as pods see it. Default: `<mountPath>/<name of the folder>`. */
  readonly folder?: string | undefined;
  /** Queue of Kueue. */
  readonly queue?: string | undefined;
}

/**
 * A Job with one completion for each index (`completionMode: Indexed`): the run's in `tasks.jsonl`; those of runs that are
 * wanted no more end at once. Pods that fail or are evicted are restarted, and resume from the last checkpoint;
 * evictions do not count as failures.
 *
 * @throws LocalgradError `invalid-option`
 */
export function kubernetesJob(options: KubernetesOptions): string {
  checkResources(options);
  const { sweep, image, volumeClaim, mountPath = '/localgrad', queue, cpus = 1, gpus = 0, memory, minutes } = options;
  const { folder = `${mountPath}/${basename(resolve(sweep.folder))}`, parallelism = sweep.tasks.length } = options;
  if (!`${folder}/`.startsWith(`${mountPath}/`)) {
    throw new LocalgradError(
      'invalid-option',
      `folder: '${folder}' does not lie in the shared volume, which is mounted at '${mountPath}'.`,
    );
  }
  const limits = {
    cpu: String(cpus),
    ...(memory === undefined ? {} : { memory: `${mebibytes(memory)}Mi` }),
    ...(gpus === 0 ? {} : { 'nvidia.com/gpu': String(gpus) }),
  };
  const command = `exec localgrad worker ${quoted(folder)} --threads ${cpus} --task "$JOB_COMPLETION_INDEX"`;
  return stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: resourceName(`localgrad-${sweep.name}`),
      ...(queue === undefined ? {} : { labels: { 'kueue.x-k8s.io/queue-name': queue } }),
    },
    spec: {
      completions: sweep.nextIndex,
      parallelism: Math.min(parallelism, sweep.tasks.length),
      completionMode: 'Indexed',
      backoffLimitPerIndex: 6,
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      ...(queue === undefined ? {} : { suspend: true }),
      ...(minutes === undefined
        ? {}
        : { activeDeadlineSeconds: 60 * minutes * Math.ceil(sweep.tasks.length / parallelism) }),
      template: {
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 120,
          containers: [
            {
              name: 'worker',
              image,
              command: ['sh', '-c', command],
              resources: { requests: limits, limits },
              volumeMounts: [{ name: 'sweep', mountPath }],
            },
          ],
          volumes: [{ name: 'sweep', persistentVolumeClaim: { claimName: volumeClaim } }],
        },
      },
    },
  });
}

/** Lower-case letters, digits and dashes, at most 63, as Kubernetes has names. */
function resourceName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-|-$/g, '');
}
