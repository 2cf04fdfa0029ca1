import { type DoctorReport, diagnose } from '@localgrad/backends';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import { version } from '../version.js';

export function renderDoctor({ environment, backends, selected, toMeasure }: DoctorReport): string {
  const lines = [
    `localgrad ${version}, TensorFlow.js ${environment.tfjs}, ${environment.runtime}, ${environment.platform}`,
    `${environment.cpu}, ${environment.cores} cores, ${(environment.memoryBytes / 2 ** 30).toFixed(1)} GiB`,
    '',
  ];
  for (const { name, available, reason, description, device, howToGetIt } of backends) {
    lines.push(`${available ? '✓' : '✗'} ${name.padEnd(15)} ${reason}`);
    lines.push(`  ${' '.repeat(15)} ${description}`);
    if (device !== '') lines.push(`  ${' '.repeat(15)} on ${device}`);
    if (!available && howToGetIt !== undefined) lines.push(`  ${' '.repeat(15)} → ${howToGetIt}`);
  }
  lines.push('', selection(selected, toMeasure));
  return lines.join('\n');
}

function selection(selected: string | null, toMeasure: readonly string[]): string {
  if (selected !== null) return `Commands use '${selected}' unless --backend selects another.`;
  if (toMeasure.length === 0) return 'No backend is available.';
  const names = toMeasure.map((name) => `'${name}'`).join(' and ');
  return `The first command that needs a backend measures ${names}, and all then use the faster one unless --backend selects another.`;
}

export function registerDoctor(program: Command, present: Presenter): void {
  program
    .command('doctor')
    .summary('list the available backends, and how to install the others')
    .description(
      'Lists the available TensorFlow.js backends, the one that commands use, and how to install the missing ones.',
    )
    .action(() => present(diagnose, renderDoctor));
}
