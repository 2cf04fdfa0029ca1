import type { YamlDocument } from '@localgrad/runs';
import type { PlannedCondition } from './experiment.js';
import type { ExperimentInput } from './experiment-schema.js';

/**
 * Rejects a rule of early stopping that cannot stop any run of the file: one needs epochs after `graceEpochs`, and `peers` earlier
 * runs with the same number of epochs.
 *
 * @throws LocalgradError `invalid-data`
 */
export function checkEarlyStopping(
  document: YamlDocument,
  { earlyStopping }: ExperimentInput,
  conditions: readonly PlannedCondition[],
  seeds: readonly number[],
): void {
  const runs = new Map<number, number>();
  for (const { config } of conditions) {
    if (typeof config.epochs === 'number') runs.set(config.epochs, (runs.get(config.epochs) ?? 0) + seeds.length);
  }
  if (earlyStopping === undefined || runs.size === 0) return;
  const { graceEpochs, peers } = earlyStopping;
  const fail = (key: string, message: string): never =>
    document.fail([{ path: ['earlyStopping', key], isKey: true, isComplete: true, message }]);
  const longest = Math.max(...runs.keys());
  if (graceEpochs >= longest) {
    const epochs = longest === 1 ? '1 epoch' : `${longest} epochs`;
    fail(
      'graceEpochs',
      `'graceEpochs' is ${graceEpochs}, so that no run can be stopped: the longest has ${epochs}. ${allowed(longest - 1)}`,
    );
  }
  const most = Math.max(...[...runs].map(([epochs, count]) => (epochs > graceEpochs ? count : 0)));
  if (peers >= most) {
    fail(
      'peers',
      `'peers' is ${peers}, so that no run can be stopped: at most ${most === 1 ? '1 run has' : `${most} runs have`} the same number of epochs. ${allowed(most - 1)}`,
    );
  }
}

function allowed(most: number): string {
  return most < 1 ? "Remove 'earlyStopping'" : `Allowed: 1 to ${most}; or remove 'earlyStopping'`;
}
