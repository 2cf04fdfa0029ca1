import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { type DownloadOptions, differentDigests, digestOfFile, downloadFile } from '@localgrad/core/downloads';
import { findWheel, UnreachableIndex } from './package-index.js';
import { downloadWithPip } from './pip.js';
import { decimalSize, fileOf, type Release, type Wheel } from './releases.js';

export interface WheelSource {
  /** URL of the package index. */
  readonly index: string;
  /** Folder that already contains the wheels; nothing is downloaded. */
  readonly fromDir?: string | undefined;
  readonly download?: DownloadOptions;
}

/**
 * Provides the wheels of a release, each with its published hash: from `fromDir`, or downloaded into `folder`, where an
 * interrupted download resumes.
 *
 * @returns the paths of the wheels, in order
 * @throws LocalgradError `missing-dependency` without an index, or without a file in `fromDir`; `invalid-data` for other content
 */
export async function fetchWheels(
  release: Release,
  folder: string,
  source: WheelSource,
  say: (line: string) => void,
): Promise<string[]> {
  const paths: string[] = [];
  for (const [index, wheel] of release.wheels.entries()) {
    const path = join(source.fromDir ?? folder, fileOf(wheel));
    if (source.fromDir !== undefined || existsSync(path)) await check(wheel, path);
    else {
      say(`Downloading ${index + 1} of ${release.wheels.length}: ${wheel.name} (${decimalSize(wheel.bytes)}) …`);
      await download(wheel, path, folder, source);
    }
    paths.push(path);
  }
  return paths;
}

/** Bytes that are still to be downloaded. */
export async function missingBytes({ wheels }: Release, folder: string, { fromDir }: WheelSource): Promise<number> {
  if (fromDir !== undefined) return 0;
  const sizeOf = (path: string) =>
    stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  const missing = wheels.map(async (wheel) => {
    const path = join(folder, fileOf(wheel));
    return Math.max(0, wheel.bytes - (await sizeOf(path)) - (await sizeOf(`${path}.part`)));
  });
  return (await Promise.all(missing)).reduce((sum, bytes) => sum + bytes, 0);
}

async function download(wheel: Wheel, path: string, folder: string, source: WheelSource): Promise<void> {
  try {
    const url = await findWheel(wheel, source.index);
    const digest = { algorithm: 'sha256' as const, hex: wheel.sha256 };
    await downloadFile({ name: fileOf(wheel), urls: [url], digest }, path, source.download);
  } catch (error) {
    if (!(error instanceof UnreachableIndex)) throw error;
    await downloadWithPip(wheel, folder, error.message);
    await check(wheel, path);
  }
}

async function check(wheel: Wheel, path: string): Promise<void> {
  if (!existsSync(path)) {
    throw new LocalgradError(
      'missing-dependency',
      `${path} was not found. Get it with: pip download --no-deps ${wheel.name}==${wheel.version}`,
      { path },
    );
  }
  const found = await digestOfFile(path, 'sha256');
  if (found === wheel.sha256) return;
  throw new LocalgradError(
    'invalid-data',
    `${path} is not the published file: ${differentDigests({ algorithm: 'sha256', hex: wheel.sha256 }, found)}. Delete or rename it, then run the same command again.`,
    { path, expected: wheel.sha256, found },
  );
}
