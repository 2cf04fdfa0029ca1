import { LocalgradError } from '@localgrad/core';

/** Names of the classes by number. */
export interface ClassNames {
  readonly names: readonly string[];
  /** The file whose metadata contain them. Undefined if no file names its classes, and labels are their names. */
  readonly path?: string;
}

/**
 * The names that hold for all files so far: a label means the same class in each of them.
 *
 * @param found names in the metadata of the file at `path`, if any
 * @param known those of the files before
 * @throws LocalgradError `invalid-data` if the names, or their order, differ
 */
export function sameClasses(
  path: string,
  found: readonly string[] | undefined,
  known: ClassNames | undefined,
): ClassNames | undefined {
  if (found === undefined) return known;
  if (known === undefined) return { names: found, path };
  const different = found.findIndex((name, index) => name !== known.names[index]);
  if (known.path === undefined || (different < 0 && found.length === known.names.length)) return known;
  const label = different < 0 ? found.length : different;
  const nameIn = (names: readonly string[]) => (names[label] === undefined ? 'no class' : `'${names[label]}'`);
  throw new LocalgradError(
    'invalid-data',
    `${path}: label ${label} is ${nameIn(found)}, but ${nameIn(known.names)} in ${known.path}. All files must name the same classes in the same order.`,
    { path, label },
  );
}
