// Checks that every public package can be published: packs all packages, inspects the tarballs, installs them together
// in an empty project outside the repository, and uses them there as an external user would.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureAlone } from './alone.mjs';
import { createPackages } from './created.mjs';
import {
  bin,
  check,
  failures,
  here,
  packages,
  parse,
  passed,
  project,
  ran,
  readManifest,
  root,
  run,
  tarballs,
  work,
} from './harness.mjs';
import { checkTarball } from './package-checks.mjs';
import {
  installThirdParties,
  resolveThirdParties,
  runThirdPartyMethod,
  runThirdPartySuites,
  trainWithThirdParties,
} from './third-parties.mjs';

pack();
await inspectTarballs();
for (const name of ['@localgrad/statistics', '@localgrad/dgl']) measureAlone(name);
if (install()) {
  runConsumers();
  runInstalledCommand();
  if (installThirdParties()) {
    runThirdPartySuites();
    runThirdPartyMethod();
    resolveThirdParties();
    trainWithThirdParties();
    createPackages();
  }
}
if (process.env.LOCALGRAD_KEEP === undefined) rmSync(work, { recursive: true, force: true });
else console.log(`Kept: ${work}`);

for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`Publishing ${packages.length} packages: ${passed()} checks passed, ${failures.length} failed.`);
process.exit(failures.length === 0 ? 0 : 1);

function pack() {
  // As a release does: `dist` may have files of earlier builds.
  const cleaned = run('node', [join(root, 'tools/release/stale-files.mjs'), '--remove'], root);
  check('files of earlier builds can be removed', cleaned.status === 0, ran(cleaned));
  // One npm for all: each one takes a second to start.
  const workspaces = packages.map(({ name }) => `--workspace=${name}`);
  const result = run('npm', ['pack', '--json', '--pack-destination', tarballs, ...workspaces], root);
  const reports = parse(result.stdout) ?? [];
  for (const entry of packages) {
    const report = reports.find(({ name }) => name === entry.name);
    if (report !== undefined) entry.tarball = join(tarballs, report.filename.replace('@', '').replace('/', '-'));
    entry.files = report?.files.map(({ path }) => path) ?? [];
    check(`${entry.name} can be packed`, result.status === 0 && report !== undefined, ran(result));
  }
  // The dependencies in this list are built before the test runs.
  const listed = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')).devDependencies;
  for (const { name } of packages) check(`${name} is listed in tests/publish/package.json`, listed[name] !== undefined);
}

async function inspectTarballs() {
  for (const { name, folder, files, tarball } of packages) {
    if (tarball === undefined) continue;
    const { './package.json': _, ...entries } = readManifest(folder).exports;
    const targets = Object.values(entries).flatMap(({ types, default: code }) => [types.slice(2), code.slice(2)]);
    for (const file of ['package.json', 'README.md', 'LICENSE', ...targets]) {
      check(`${name} contains ${file}`, files.includes(file), files.join('\n'));
    }
    const strangers = files.filter(
      (file) =>
        !file.startsWith('templates/') &&
        /\.test\.|(^|\/)(testing|fixtures|__tests__)\/|\.tsbuildinfo|\.api\//.test(file),
    );
    check(`${name} contains no test`, strangers.length === 0, strangers.join('\n'));
    const extract = run('tar', ['-xzOf', tarball, 'package/package.json'], work);
    const manifest = JSON.parse(extract.stdout);
    const ranges = ['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap((group) =>
      Object.entries(manifest[group] ?? {}),
    );
    const unreal = ranges.filter(([, range]) => /^(file|link|workspace|git)|^\*?$|\//.test(range));
    check(`${name} depends on version ranges`, unreal.length === 0, JSON.stringify(unreal));
    const scripts = ['preinstall', 'install', 'postinstall'].filter((script) => manifest.scripts?.[script]);
    check(`${name} has no install scripts`, scripts.length === 0, scripts.join());
    const text = run('tar', ['-xzOf', tarball, '--wildcards', 'package/dist/*.js'], work).stdout;
    check(`${name} contains no path of the build machine`, !text.includes(root), root);
    check(`${name} names no source map, as it contains none`, !text.includes('sourceMappingURL'));
    await checkTarball(name, tarball);
  }
}

function install() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const outside = ['@tensorflow/tfjs', 'typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
  const manifest = { name: 'stranger', version: '1.0.0', private: true, type: 'module', allowScripts };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  const ours = packages.flatMap(({ tarball }) => (tarball === undefined ? [] : [tarball]));
  const options = ['--prefer-offline', '--no-audit', '--no-fund'];
  const result = run('npm', ['install', ...options, ...ours, ...outside]);
  check('the tarballs can be installed together', result.status === 0, ran(result));
  if (result.status !== 0) return false;
  const lock = JSON.parse(readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'));
  for (const { name } of packages) {
    const copies = Object.keys(lock.packages).filter((path) => path.endsWith(`node_modules/${name}`));
    check(`${name} is installed once`, copies.length === 1, copies.join('\n'));
  }
  return true;
}

function runConsumers() {
  cpSync(join(here, 'consumer'), project, { recursive: true });
  const script = run('node', ['train-one-step.mjs']);
  check('the packages train from plain JavaScript', script.status === 0, ran(script));
  check('plain JavaScript training prints nothing to standard error', script.stderr === '', script.stderr);
  const runs = Object.entries(parse(script.stdout)?.runs ?? {});
  check('plain JavaScript training runs eleven methods', runs.length === 11, script.stdout);
  for (const [name, { losses, steps, peakBytes, testAccuracy }] of runs) {
    const [first, last] = [losses.at(0), losses.at(-1)].map((all) => Object.values(all).reduce((sum, x) => sum + x, 0));
    check(`${name} lowers its losses`, last < first, JSON.stringify(losses));
    check(`${name} reports steps, memory and accuracy`, steps === 6 && peakBytes > 0 && testAccuracy >= 0);
  }

  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--strict',
    '--skipLibCheck',
    'false',
    '--types',
    'node',
  ];
  const compile = run(bin('tsc', project), [...options, 'own-method.mts']);
  // TensorFlow.js' own declarations have errors in strict mode (tfjs-layers' keras_format); errors in these files are
  // ignored.
  const foreign = /^(node_modules\/@tensorflow\/|\s)/;
  const complaints = compile.stdout.split('\n').filter((line) => line.trim() !== '' && !foreign.test(line));
  check('TypeScript accepts all types without skipLibCheck', complaints.length === 0, complaints.join('\n'));
  check('TypeScript compiles the consumer', existsSync(join(project, 'own-method.mjs')), ran(compile));
  const own = run('node', ['own-method.mjs']);
  check('a custom method trains', own.status === 0, ran(own));
  check('training a custom method prints nothing to standard error', own.stderr === '', own.stderr);
  const { sums = [], refusal } = parse(own.stdout) ?? {};
  check('a custom method lowers its losses', sums.length === 5 && sums.at(-1) < sums[0], own.stdout);
  check('errors preserve their class and code across packages', refusal === 'invalid-option', own.stdout);
}

function runInstalledCommand() {
  const command = bin('localgrad', project);
  const help = run(command, ['--help']);
  check('localgrad --help works', help.status === 0 && help.stdout.includes('quickstart'), ran(help));
  const doctor = run(command, ['doctor', '--json']);
  const { backends, selected } = parse(doctor.stdout) ?? {};
  check('localgrad doctor --json prints one document', Array.isArray(backends), ran(doctor));
  check('localgrad doctor finds the wasm backend', selected === 'wasm', ran(doctor));
  const explain = run(command, ['explain', '--backbone', 'resnet32', '--modules', '16', '--method', 'dgl', '--json']);
  check('localgrad explain --json prints the plan', parse(explain.stdout)?.modules?.length === 16, ran(explain));
}
