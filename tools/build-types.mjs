// Writes the type declarations of all packages into their `dist`, one file for each source. One program sees all sources: one
// for each package would read and infer those of the packages below it again, ten times as long in total.
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { publishedFolders, readManifest } from './release/manifests.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = publishedFolders();

/** The sources of what a package exports: those of `dist/index.d.ts` are in `src/index.ts`. */
function entriesOf(folder) {
  return Object.values(readManifest(folder).exports ?? {})
    .flatMap(({ types }) => types ?? [])
    .map((types) => join(folder, types.replace(/^\.\/dist\//, 'src/').replace(/\.d\.ts$/, '.ts')));
}

/** Where the declaration of a source lies, from where the compiler would put it: beside the source. */
function destinationOf(file) {
  const folder = folders.find((one) => file.startsWith(join(one, 'src') + sep));
  if (folder === undefined)
    throw new Error(`A package's types depend on ${relative(root, file)}, outside every package's src.`);
  return join(folder, 'dist', relative(join(folder, 'src'), file));
}

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['package.json'] }, ts.sys, root);
const program = ts.createProgram({
  rootNames: folders.flatMap(entriesOf),
  // Types are checked by `npm run typecheck`.
  options: { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true },
});
const { diagnostics } = program.emit(undefined, (file, text) => ts.sys.writeFile(destinationOf(join(file)), text));
const errors = [...program.getOptionsDiagnostics(), ...program.getSyntacticDiagnostics(), ...diagnostics];
if (errors.length > 0) {
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
  console.error(ts.formatDiagnostics(errors, host));
  process.exitCode = 1;
}
