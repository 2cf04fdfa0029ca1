import { experimentSchema } from './experiment-schema.js';

const { compare, checkpoints, trackers, search, earlyStopping } = experimentSchema.shape;
/** Keys of the parts of an experiment file. */
export const nestedKeys: Readonly<Record<string, readonly string[]>> = {
  compare: Object.keys(compare.unwrap().shape),
  checkpoints: Object.keys(checkpoints.unwrap().shape),
  trackers: Object.keys(trackers.unwrap().shape),
  search: Object.keys(search.unwrap().shape),
  earlyStopping: Object.keys(earlyStopping.unwrap().shape),
};

/** Flags of `train` that have other names here. */
const renamed: Readonly<Record<string, string>> = { checkpointEpochs: 'everyEpochs', checkpointSteps: 'everySteps' };

/** Where a flag of `train` that is no key of a run belongs; undefined for others. */
export function ownKeyOf(key: string): string | undefined {
  const name = renamed[key] ?? key;
  const own = (['checkpoints', 'trackers'] as const).find((one) => nestedKeys[one]?.includes(name));
  return own === undefined ? undefined : `'${key}' is not given here: write ${own}: { ${name}: … } in the file`;
}
