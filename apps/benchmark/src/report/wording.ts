import { formatBytes, formatSeconds } from '@localgrad/train';
import type { MethodResult, QuickstartResults } from '../quickstart/results.js';

export const percent = (value: number): string => `${(100 * value).toFixed(1)}\u00a0%`;
export const times = (value: number): string => `${value.toFixed(2)}\u00a0×`;
export const points = (value: number): string =>
  `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}\u00a0points`;

export const memoryText = (run: MethodResult): string =>
  withRatio(run, formatBytes(run.peakBytes), run.relativeToBackprop.memory);
export const timeText = (run: MethodResult): string =>
  withRatio(run, formatSeconds(run.seconds), run.relativeToBackprop.time);

function withRatio(run: MethodResult, text: string, ratio: number): string {
  return run.method === 'backprop' ? text : `${text}  (${times(ratio)})`;
}

/** The outcome in one sentence: the best local method against end to end. */
export function headline({ runs }: QuickstartResults): string {
  const local = runs.filter(({ method }) => method !== 'backprop');
  const best = local.reduce((a, b) => (b.testAccuracy > a.testAccuracy ? b : a), local[0] as MethodResult);
  const reference = runs.find(({ method }) => method === 'backprop') as MethodResult;
  return (
    `${best.label} trains the network in ${best.modules} modules that exchange no gradient: ${percent(best.testAccuracy)} against ` +
    `${percent(reference.testAccuracy)} end to end, with ${times(best.relativeToBackprop.memory)} the peak memory and ` +
    `${times(best.relativeToBackprop.time)} the time.`
  );
}

export function setting({ runs, dataset }: QuickstartResults): string {
  const { config, seeds } = runs[0] as MethodResult;
  return (
    `${backboneName(config)} on ${dataset.trainImages.toLocaleString('en-US')} images of ${datasetName(dataset.name)}, ` +
    `${config.epochs} epochs, ${seeds.length === 1 ? 'one seed' : `${seeds.length} seeds`}`
  );
}

export function backboneName({ backbone, width }: MethodResult['config']): string {
  const name = backbone.replace(/^resnet/, 'ResNet-');
  return width === undefined ? name : `${name} (width ${width})`;
}

export function datasetName(name: string): string {
  return name.startsWith('fashion-mnist') ? 'Fashion-MNIST' : name;
}

/** The command that repeats one run, in lines that fit a phone. */
export function trainCommand({ config }: MethodResult): string {
  const {
    method,
    modules,
    backbone,
    width,
    resize,
    epochs,
    batch,
    learningRate,
    schedule,
    warmup,
    weightDecay,
    threads,
  } = config;
  const quoted = /[^\w-]/.test(method) ? `"${method}"` : method;
  const optional = (flag: string, value: unknown) => (value === undefined ? '' : ` --${flag} ${value}`);
  return [
    `localgrad train --method ${quoted} --modules ${modules}`,
    `--backbone ${backbone}${optional('width', width)}${optional('resize', resize)}`,
    `--epochs ${epochs} --batch ${batch} --learning-rate ${learningRate}`,
    `--schedule ${schedule}${optional('warmup', warmup)}`,
    `--weight-decay ${weightDecay} --threads ${threads} --seed 1`,
  ].join(' \\\n  ');
}

/** Small numbers as words. */
export function numberWord(count: number): string {
  return ['no', 'one', 'two', 'three', 'four', 'five', 'six'][count] ?? String(count);
}
