// Follows docs/write-a-method.md: creates packages, runs their tests, and uses a method in explain, train and a sweep.
// Only the installations from the registry are left out, for the packages are not published: they are installed already.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, check, project, ran, root, run } from './harness.mjs';

const guide = readFileSync(join(root, 'docs/write-a-method.md'), 'utf8');

export function createPackages() {
  const [line] = guide.match(/^npm create localgrad-method .*$/m) ?? [];
  check('the guide creates a package', line !== undefined);
  create(line.split(' ').slice(3));
  for (const options of [
    ['localgrad-fading', '--kind', 'decorator', '--language', 'javascript'],
    ['localgrad-fading-too', '--kind', 'decorator'],
    ['localgrad-net', '--kind', 'backbone'],
    ['localgrad-lines-too', '--kind', 'dataset'],
    ['localgrad-lines', '--kind', 'dataset', '--language', 'javascript'],
  ]) {
    create(options);
  }
  followGuide();
}

function create([folder, ...options]) {
  const created = run(bin('create-localgrad-method', project), [folder, ...options]);
  check(`npm create localgrad-method ${folder} works`, created.status === 0, ran(created));
  const own = join(project, folder);
  if (!existsSync(own)) return;
  const test = run('npm', ['test'], own);
  check(`npm test of the new ${folder} passes`, test.status === 0, ran(test));
  if (options.includes('javascript')) return;
  const build = run('npm', ['run', 'build'], own);
  check(`npm run build of the new ${folder} works`, build.status === 0, ran(build));
}

function followGuide() {
  const [, file, yaml] = guide.match(/`(study\.yaml)`\n\n```yaml\n(.*?)```/s) ?? [];
  check('the guide shows an experiment file', yaml !== undefined);
  writeFileSync(join(project, file), yaml);
  const commands = guide.match(/^npx localgrad .*$/gm) ?? [];
  check('the guide explains, trains, runs a sweep and reports', commands.length === 4, commands.join('\n'));
  for (const command of commands) {
    const result = run('sh', ['-c', command]);
    check(`${command} works`, result.status === 0, ran(result));
  }
  const report = join(project, 'localgrad-sweeps/own/report/report.md');
  check('the report names the method', existsSync(report) && readFileSync(report, 'utf8').includes('localgrad-own'));
}
