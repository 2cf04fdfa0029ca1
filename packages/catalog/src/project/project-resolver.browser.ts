import { LocalgradError } from '@localgrad/core';
import type { ProjectOptions, ProjectResolver } from './project-catalog.js';

/** @throws LocalgradError `misuse`: browsers extend a catalog by `catalog.with` */
export function projectResolver(_options: ProjectOptions = {}): ProjectResolver {
  throw new LocalgradError(
    'misuse',
    'projectResolver imports packages from a folder, which requires Node; in browsers, import them and pass them to catalog.with.',
  );
}
