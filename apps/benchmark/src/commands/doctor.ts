import { type DoctorReport, diagnose } from '@localgrad/backends';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import { version } from '../version.js';

export function renderDoctor({ environment, backends, selected }: DoctorReport): string {
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
  lines.push(
    '',
    selected === null ? 'No backend is available.' : `Commands use '${selected}' unless --backend says otherwise.`,
  );
  return lines.join('\n');
}

export function registerDoctor(program: Command, present: Presenter): void {
  program
    .command('doctor')
    .summary('show which backends work here, and how to get the others')
    .description('Looks at this machine: which TensorFlow.js backends work, which one is taken, what is missing.')
    .action(() => present(diagnose, renderDoctor));
}
