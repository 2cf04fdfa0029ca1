import { relative } from 'node:path';
import type { CreatedPackage } from './create-package.js';

/**
 * The commands that follow the creation of a package, for a terminal.
 *
 * @param asTyped the package's folder as the user typed it
 * @param here absolute path of the folder in which the command runs
 */
export function nextSteps({ folder, language, use }: CreatedPackage, asTyped: string, here: string): string {
  const [there, back] = [relative(here, folder), relative(folder, here)];
  const enter = there === '' ? '' : `  cd ${inShell(asTyped)}\n`;
  const leave = back === '' ? '' : `cd ${inShell(back)} && `;
  const build = language === 'typescript' ? '  npm run build          # into dist/\n' : '';
  return `Next:
${enter}  npm install
  npm test               # passes already; then make src/index.${language === 'typescript' ? 'ts' : 'js'} yours
${build}  ${leave}npx localgrad train --modules 4 ${use}
`;
}

function inShell(path: string): string {
  return /^[\w./@~-]+$/.test(path) ? path : `"${path.replace(/["$`\\]/g, '\\$&')}"`;
}
