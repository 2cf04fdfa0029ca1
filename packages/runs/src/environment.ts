import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describeEnvironment, type Environment } from '@localgrad/backends';
import { version } from './version.js';

/** Versions and hardware that a measurement depends on. */
export interface MeasurementEnvironment extends Environment {
  readonly localgrad: string;
  /** Commit of the repository that the command runs in; null outside a repository. A `+` marks uncommitted changes. */
  readonly commit: string | null;
  readonly date: string;
}

export async function measurementEnvironment(): Promise<MeasurementEnvironment> {
  return {
    ...(await describeEnvironment()),
    localgrad: version,
    // Bundles for machines without the repository include its commit.
    commit: process.env.LOCALGRAD_COMMIT || (await commitOf(import.meta.dirname)),
    date: new Date().toISOString(),
  };
}

async function commitOf(folder: string): Promise<string | null> {
  const git = async (...args: string[]) => (await promisify(execFile)('git', args, { cwd: folder })).stdout.trim();
  try {
    const commit = await git('rev-parse', '--short=12', 'HEAD');
    return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? commit : `${commit}+`;
  } catch {
    return null;
  }
}
