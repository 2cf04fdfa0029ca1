import type { ExternalModule } from '@localgrad/catalog';
import { canonicalJson } from '../folder/hash.js';
import { defaultOf, withoutDefaults } from './config-identity.js';
import type { ImageFingerprint } from './fingerprint.js';
import type { RunIdentity } from './run-identity.js';

/** Differences between the run in a folder (there) and the requested one (here), one phrase each. */
export function differencesBetween(there: RunIdentity, here: RunIdentity): string[] {
  return [
    ...schemaDifferences(there, here),
    // Earlier versions also recorded keys without effect.
    ...configDifferences(withoutDefaults(there.config), withoutDefaults(here.config)),
    ...contentDifferences(there, here),
  ];
}

/** The same for runs with one config: differences of method files, packages, images, initial weights and schema versions. */
export function inputDifferences(there: RunIdentity, here: RunIdentity): string[] {
  return [...schemaDifferences(there, here), ...contentDifferences(there, here)];
}

function schemaDifferences(there: RunIdentity, here: RunIdentity): string[] {
  if (there.schemaVersion === here.schemaVersion) return [];
  return [`configs had another meaning (schema version ${there.schemaVersion} there, ${here.schemaVersion} here)`];
}

function contentDifferences(there: RunIdentity, here: RunIdentity): string[] {
  const weights =
    there.initialWeights === here.initialWeights
      ? []
      : [
          there.initialWeights === null || here.initialWeights === null
            ? `initial weights: ${there.initialWeights === null ? 'none there, a file here' : 'a file there, none here'}`
            : 'the initial weights have changed',
        ];
  return [
    ...moduleDifferences(there.modules, here.modules),
    ...imageDifferences('training', there.training, here.training),
    ...imageDifferences('test', there.test, here.test),
    // If only one of them has any, the configs differ.
    ...(there.validation === undefined || here.validation === undefined
      ? []
      : imageDifferences('validation', there.validation, here.validation)),
    ...weights,
  ];
}

/** @param there without defaults; so is `here` */
export function configDifferences(
  there: Readonly<Record<string, unknown>>,
  here: Readonly<Record<string, unknown>>,
): string[] {
  const keys = [...new Set([...Object.keys(there), ...Object.keys(here)])];
  const shown = (config: Readonly<Record<string, unknown>>, key: string) => {
    const value = Object.hasOwn(config, key) ? config[key] : defaultOf(key);
    return value === undefined ? 'not set' : typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  };
  return keys
    .filter((key) => canonicalJson(there[key]) !== canonicalJson(here[key]))
    .map((key) => `${key}: ${shown(there, key)} there, ${shown(here, key)} here`);
}

function moduleDifferences(there: readonly ExternalModule[], here: readonly ExternalModule[]): string[] {
  return here.flatMap((module) => {
    const before = there.find(({ name }) => name === module.name);
    // A module that only one of them names also differs in the config.
    if (before === undefined || before.hash === module.hash) return [];
    if (module.kind === 'file') return [`file '${module.name}' has changed`];
    const isSame = before.version === module.version;
    return [
      isSame
        ? `package '${module.name}' has changed (both are version ${module.version ?? 'unknown'})`
        : `package '${module.name}': ${before.version ?? 'no version'} there, ${module.version ?? 'no version'} here`,
    ];
  });
}

function imageDifferences(set: string, there: ImageFingerprint, here: ImageFingerprint): string[] {
  const number = there.images === here.images ? [] : [`${set} images: ${there.images} there, ${here.images} here`];
  const shape =
    there.shape.join() === here.shape.join()
      ? []
      : [`${set} images: ${there.shape.join('×')} there, ${here.shape.join('×')} here`];
  const classes =
    there.classes === here.classes ? [] : [`${set} classes: ${there.classes} there, ${here.classes} here`];
  const found = [...number, ...shape, ...classes];
  if (found.length > 0) return found;
  if (there.pixels !== here.pixels) return [`${set} images differ: ${there.images} images with other pixels`];
  const targets = [...new Set([...Object.keys(there.targets), ...Object.keys(here.targets)])].filter(
    (name) => there.targets[name] !== here.targets[name],
  );
  return [
    ...(there.labels === here.labels ? [] : [`${set} labels differ`]),
    ...targets.map((name) => `${set} target '${name}' differs`),
  ];
}
