import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');

/** The report of a built `localgrad bench` on a ResNet-8 of width 4 and images of 16×16×3. */
export function benchReport<Report>(command: 'step' | 'pipeline', ...flags: readonly string[]): Report {
  if (!existsSync(program)) throw new Error(`${program} is missing: this test requires a build; run npm run test:e2e.`);
  const network = ['--methods', 'backprop', '--backbone', 'resnet8', '--width', '4', '--image', '16x16x3'];
  const args = [program, 'bench', command, ...network, '--threads', '1', '--json', ...flags];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}
