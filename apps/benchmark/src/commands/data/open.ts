import type { DatasetSplits, ImageSize } from '@localgrad/data';
import { loadNamedOrFolder } from '@localgrad/image-data';

export interface OpenFlags {
  readonly folder?: string;
  readonly size?: ImageSize;
}

/** A data set by name, or the images of a folder. @throws LocalgradError */
export function openData(name: string, { folder, size }: OpenFlags): Promise<DatasetSplits> {
  return loadNamedOrFolder(name, {
    ...(folder === undefined ? {} : { folder }),
    ...(size === undefined ? {} : { resize: size }),
  });
}
