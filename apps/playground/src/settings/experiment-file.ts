import { defaultShared, fixedSettings, type Settings } from './settings.js';

/** The experiment file that repeats the runs on a machine: `localgrad sweep run playground.yaml`. */
export function experimentFile({ shared, runs }: Settings): string {
  const { dataset, trainImages, testImages, threads, backend, relaxedSimd, ...rest } = shared;
  const isOwn = dataset === 'own';
  const { warmup, logEvery, schedule, momentum, nesterov, weightDecay } = fixedSettings;
  const base: Record<string, string | number | boolean> = {
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
    ...Object.entries(base).map(
      ([key, value]) => `  ${key}: ${typeof value === 'string' ? JSON.stringify(value) : value}`,
    ),
    'include:',
    ...runs.map(
      ({ method, modules }, index) =>
        `  - { name: ${JSON.stringify(`${'AB'[index]}: ${method}, K = ${modules}`)}, method: ${JSON.stringify(method)}, modules: ${modules} }`,
    ),
    '',
  ].join('\n');
}
