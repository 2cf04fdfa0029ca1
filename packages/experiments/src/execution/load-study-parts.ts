import { basename } from 'node:path';
import { quoted } from '../executors/shell.js';
import type { StudyPart } from '../results/combine-studies.js';
import { loadStudy, type Sweep } from '../sweep/index.js';
import { defaultSweepFolder } from './open-sweep.js';

/** The study of each sweep, for `combineStudies`; sweeps with the same name are labeled with their folders. */
export async function loadStudyParts(sweeps: readonly Sweep[]): Promise<StudyPart[]> {
  const names = sweeps.map(({ name }) => name);
  // The command that repeats it elsewhere, wherever this copy is.
  const folders = sweeps.map((sweep) => {
    const isElsewhere = sweep.commands.some((command) => command.includes(' --folder '));
    return quoted(isElsewhere ? sweep.folder : defaultSweepFolder(sweep));
  });
  const command = `localgrad report ${folders.join(' ')}${sweeps.length > 1 ? ' --output report' : ''}`;
  const parts: StudyPart[] = [];
  for (const sweep of sweeps) {
    const isUnique = names.filter((name) => name === sweep.name).length === 1;
    const commands = sweep === sweeps.at(-1) ? [command] : [];
    parts.push({ label: isUnique ? sweep.name : basename(sweep.folder), study: await loadStudy(sweep, commands) });
  }
  return parts;
}
