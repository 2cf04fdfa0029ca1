import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describeEnvironment, type Environment } from '@localgrad/backends';
import { version } from './version.js';

/** What a measurement depends on besides its options. */
export interface MeasurementEnvironment extends Environment {
  readonly localgrad: string;
  /** Of the repository that the command runs in; null outside of one. A `+` marks uncommitted changes. */
  readonly commit: string | null;
  readonly date: string;
}

export async function measurementEnvironment(): Promise<MeasurementEnvironment> {
  return {
    ...(await describeEnvironment()),
    localgrad: version,
    // Bundles for machines without the repository bring its commit along.
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
