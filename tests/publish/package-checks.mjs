// What publint and attw say of a tarball, in this process: their commands take seconds to start.
import { readFileSync } from 'node:fs';
import { getExitCode } from '@arethetypeswrong/cli/internal/getExitCode';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { check } from './harness.mjs';

/** As `publint --strict` and `attw --profile esm-only`. */
export async function checkTarball(name, tarball) {
  const bytes = readFileSync(tarball);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: buffer } });
  check(`${name} passes publint`, messages.length === 0, messages.map((one) => formatMessage(one, pkg)).join('\n'));
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
  const isGood = getExitCode(analysis, { ignoreResolutions: ['node10', 'node16-cjs'] }) === 0;
  check(`${name} passes attw`, isGood, JSON.stringify(analysis.problems ?? [], null, 2));
}
