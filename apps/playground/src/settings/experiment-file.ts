import { defaultShared, fixedSettings, type RunSettings, type Settings } from './settings.js';

/** The experiment file that repeats the runs on a machine: `localgrad sweep run playground.yaml`. */
export function experimentFile({ shared, runs: [first, ...others] }: Settings): string {
  const { dataset, trainImages, testImages, threads, backend, relaxedSimd, seed, ...rest } = shared;
  const isOwn = dataset === 'own';
  const { warmup, logEvery, schedule, momentum, nesterov, weightDecay } = fixedSettings;
  const base = {
    method: '{method}',
    ...(first === undefined ? {} : { modules: first.modules }),
    ...rest,
    dataset: isOwn ? './pictures' : dataset,
    ...(isOwn || trainImages === defaultShared.trainImages ? {} : { trainImages }),
    ...(isOwn || testImages === defaultShared.testImages ? {} : { testImages }),
    ...{ momentum, nesterov, weightDecay, schedule, warmup, logEvery },
    backend: backend === 'auto' ? 'wasm' : backend,
    threads,
    relaxedSimd,
  };
  return [
    '# npx localgrad sweep run playground.yaml',
    ...(isOwn ? ['# ./pictures: the folder of pictures, one folder per class.'] : []),
    'name: playground',
    'title: Runs from the localgrad playground',
    'base:',
    ...Object.entries(base).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
    ...(first === undefined ? [] : ['factors:', `  method: { ${nameOf(first, 0)}: ${JSON.stringify(first.method)} }`]),
    ...(others.length === 0 ? [] : ['include:']),
    ...others.map(
      (run, index) =>
        `  - { name: ${nameOf(run, index + 1)}, method: ${JSON.stringify(run.method)}, modules: ${run.modules} }`,
    ),
    `seeds: [${seed}]`,
    '',
  ].join('\n');
}

function nameOf({ method, modules }: RunSettings, index: number): string {
  return JSON.stringify(`${'AB'[index]}: ${method}, K = ${modules}`);
}
