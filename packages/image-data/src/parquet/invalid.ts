import { LocalgradError } from '@localgrad/core';

/** An error about a file's content, without its path. @param found completes `expected a Parquet file, found …` */
export const invalid = (found: string) => new LocalgradError('invalid-data', found);
