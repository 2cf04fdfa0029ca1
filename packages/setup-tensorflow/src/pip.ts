import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { fileOf, type Wheel } from './releases.js';
import { runProgram } from './run-program.js';

/**
 * Downloads a wheel with pip, which may have a proxy, a mirror or credentials that this process does not know.
 *
 * @param reason why the package index could not be asked directly
 * @throws LocalgradError `missing-dependency` with the output of pip
 */
export async function downloadWithPip(wheel: Wheel, folder: string, reason: string): Promise<void> {
  const { name, version, tag } = wheel;
  const [python = ''] = tag.split('-');
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check'];
  args.push('--python-version', python.startsWith('cp') ? python.slice(2) : '3');
  for (const platform of tag.slice(tag.lastIndexOf('-') + 1).split('.')) args.push('--platform', platform);
  args.push('--dest', folder, `${name}==${version}`);
  let said = '';
  for (const program of ['python3', 'python']) {
    const { code, output } = await runProgram(program, args);
    if (code === 0 && existsSync(join(folder, fileOf(wheel)))) return;
    said ||= output.trim().split('\n').slice(-3).join('\n');
  }
  throw new LocalgradError(
    'missing-dependency',
    `Cannot reach the package index (${reason}), and pip could not download ${name} ${version} either:\n${said}\nTo use wheels from a folder, pass --from-dir.`,
  );
}
