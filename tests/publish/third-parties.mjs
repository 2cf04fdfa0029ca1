// Uses the packages of examples/ as their users would.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bin, check, parse, project, ran, readManifest, root, run, tarballs } from './harness.mjs';

/** Packs the packages outside the workspaces, as their authors would publish them. */
function thirdParties() {
  const folder = join(root, 'examples');
  return readdirSync(folder)
    .filter((name) => name.startsWith('third-party-'))
    .map((name) => ({ name, folder: join(folder, name), manifest: readManifest(join(folder, name)) }));
}

export function installThirdParties() {
  const files = thirdParties().map(({ name, folder }) => {
    const packed = run('npm', ['pack', '--json', '--pack-destination', tarballs], folder);
    const file = parse(packed.stdout)?.[0]?.filename;
    check(`${name} can be packed`, file !== undefined, ran(packed));
    return file;
  });
  if (files.includes(undefined)) return false;
  const paths = files.map((file) => join(tarballs, file));
  const install = run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...paths]);
  check('the third-party packages can be installed', install.status === 0, ran(install));
  return install.status === 0;
}

/** Runs each package's own tests against the installed package, in one process: each one takes seconds to start. */
export function runThirdPartySuites() {
  const suites = thirdParties().map(({ name, folder, manifest }) => {
    const test = readFileSync(join(folder, 'conformance.test.js'), 'utf8');
    const file = `${name}.test.js`;
    writeFileSync(join(project, file), test.replace("'./index.js'", `'${manifest.name}'`));
    return { name, file };
  });
  const options = [
    '--no-isolate',
    '--maxWorkers=1',
    '--reporter=default',
    '--reporter=json',
    '--outputFile=suites.json',
  ];
  const result = run(bin('vitest', project), ['run', ...options, ...suites.map(({ file }) => file)]);
  const report = join(project, 'suites.json');
  const { testResults = [] } = existsSync(report) ? (parse(readFileSync(report, 'utf8')) ?? {}) : {};
  for (const { name, file } of suites) {
    const suite = testResults.find((found) => basename(found.name) === file);
    const passes = suite?.assertionResults.some(({ status }) => status === 'passed') && suite.status === 'passed';
    check(`${name} passes its suite`, passes, ran(result));
  }
  check('no suite of a third-party package has errors', result.status === 0, ran(result));
}

/** Checks that the example method is small, and that it works by name on the command line. */
export function runThirdPartyMethod() {
  const example = join(root, 'examples/third-party-method');
  const lines = readFileSync(join(example, 'index.js'), 'utf8').split('\n').length;
  check('the example method has fewer than 60 lines', lines < 60, String(lines));
  const options = ['--backbone', 'resnet8', '--width', '2', '--modules', '3', '--resize', '8'];
  const few = ['--train-images', '200', '--test-images', '100', '--epochs', '1', '--output', 'example-run', '--json'];
  for (const method of [
    'acme-localgrad-prototypes',
    'lam(mlm(acme-localgrad-prototypes(temperature: 0.2), window: 3))',
  ]) {
    rmSync(join(project, 'example-run'), { recursive: true, force: true });
    const trained = run(bin('localgrad', project), ['train', ...options, ...few, '--method', method]);
    check(`localgrad train --method '${method}' works`, parse(trained.stdout)?.testAccuracy > 0, ran(trained));
  }
  const wrong = run(bin('localgrad', project), ['explain', '--method', 'acme-localgrad-prototypes(temperature: 0)']);
  check(
    'an unknown option of the example method is reported',
    wrong.status === 2 && wrong.stderr.includes('temperature'),
    ran(wrong),
  );
}

export function resolveThirdParties() {
  const script = run('node', ['third-parties.mjs']);
  const { configs = {}, packages: found = [] } = parse(script.stdout) ?? {};
  const expected = {
    method: { every: 2, of: { method: 'acme-localgrad-prototypes', temperature: 0.2 } },
    backbone: { backbone: 'acme-localgrad-residual', width: 4 },
    dataset: { dataset: 'acme-localgrad-squares', train: 8 },
    head: { head: 'acme-localgrad-attention', adjustment: 0.5 },
    optimizer: { optimizer: 'acme-localgrad-lion', weightDecay: 0.1, learningRate: 0.1 },
    schedule: { schedule: 'acme-localgrad-restarts', cycles: 3, learningRate: 0.1 },
  };
  const agrees = Object.entries(expected).every(([kind, options]) =>
    Object.entries(options).every(([key, value]) => JSON.stringify(configs[kind]?.[key]) === JSON.stringify(value)),
  );
  check('every kind of thing is found by the name of its package', agrees && found.length === 7, ran(script));
}

/** Trains with a decorator, backbone, head, optimizer and schedule that the command line finds by name. */
export function trainWithThirdParties() {
  rmSync(join(project, 'example-run'), { recursive: true, force: true });
  const args = Object.entries({
    backbone: 'acme-localgrad-residual(width: 4, stages: 2)',
    method: 'acme-localgrad-freezing(dgl(head: "acme-localgrad-attention(adjustment: 0.5)"))',
    optimizer: 'acme-localgrad-lion(weightDecay: 0.01)',
    schedule: 'acme-localgrad-restarts(cycles: 2)',
    'learning-rate': 0.003,
    modules: 3,
    resize: 8,
    'train-images': 200,
    'test-images': 100,
    epochs: 2,
    output: 'example-run',
  }).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const trained = run(bin('localgrad', project), ['train', ...args, '--json']);
  check(
    'localgrad train works with things of five kinds by package name',
    parse(trained.stdout)?.testAccuracy > 0,
    ran(trained),
  );
}
