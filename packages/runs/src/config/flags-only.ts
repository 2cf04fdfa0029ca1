import { runConfigSchema } from './run-config.js';

/** Flags of `train` that do not change what is trained, as keys. */
const flagsOnly: ReadonlySet<string> = new Set([
  ...['output', 'resume', 'checkpointEpochs', 'checkpointSteps', 'keepLast', 'keepBest'],
  ...['tensorboard', 'csv', 'mlflow', 'mlflowExperiment', 'json'],
  ...['hosts', 'rank', 'port', 'tokenFile', 'tlsCert', 'tlsKey', 'tlsCa', 'joinTimeout', 'stallTimeout'],
]);

/** What to write in place of a flag of `train` that is no key of a config; undefined for others. */
export function insteadOfKey(key: string): string | undefined {
  if (flagsOnly.has(key)) {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `'${key}' is not a key of a run's config: pass --${flag} on the command line`;
  }
  if (key === 'model') return "'model' is not a key: write backbone: ./model.json";
  const negated = key.replace(/^no([A-Z])/, (_, letter: string) => letter.toLowerCase());
  return negated !== key && Object.hasOwn(runConfigSchema.shape, negated)
    ? `'${key}' is not a key: write ${negated}: false`
    : undefined;
}
