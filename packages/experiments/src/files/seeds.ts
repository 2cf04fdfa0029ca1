import { shortened } from '@localgrad/core';
import type { YamlDocument } from '@localgrad/runs';
import type { Experiment } from './experiment.js';
import type { ExperimentInput } from './experiment-schema.js';

/** Rejects ranges such as `1-5`, which YAML reads as text, or `{ from: 1, to: 5 }`. @throws LocalgradError `invalid-data` */
export function rejectSeedTexts(document: YamlDocument): void {
  const { seeds } = document.value;
  const found = [seeds].flat().find((seed) => typeof seed === 'string' || typeof seed === 'object');
  if (found === undefined || found === null) return;
  const message = `seeds: expected a number of seeds (5 for seeds 1 to 5), or a list of seeds ([1, 2, 3]); found ${shortened(JSON.stringify(found))}`;
  document.fail([{ path: ['seeds'], isKey: false, isComplete: true, message }]);
}

/** The seeds of an experiment, and those of them that make the choices of `tune`. @throws LocalgradError `invalid-data` */
export function seedsOf(
  document: YamlDocument,
  { seeds: given, tune, tuneSeeds }: ExperimentInput,
): Pick<Experiment, 'seeds' | 'tuneSeeds'> {
  const seeds = typeof given === 'number' ? Array.from({ length: given }, (_, index) => index + 1) : given;
  const twice = seeds.findIndex((seed, index) => seeds.indexOf(seed) < index);
  if (twice !== -1) {
    const message = `'seeds' has the value '${seeds[twice]}' twice`;
    document.fail([{ path: ['seeds', twice], isKey: false, isComplete: true, message }]);
  }
  const fail = (message: string): never =>
    document.fail([{ path: ['tuneSeeds'], isKey: true, isComplete: true, message }]);
  if (tuneSeeds !== undefined && Object.keys(tune).length === 0) {
    fail("'tuneSeeds' has no effect without 'tune'; remove it, or list values under 'tune'");
  }
  if (tuneSeeds !== undefined && tuneSeeds > seeds.length) {
    fail(`'tuneSeeds' is ${tuneSeeds}; allowed: 1 to ${seeds.length}, the number of seeds`);
  }
  return { seeds, tuneSeeds: seeds.slice(0, tuneSeeds) };
}
