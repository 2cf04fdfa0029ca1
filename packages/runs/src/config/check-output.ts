import { LocalgradError } from '@localgrad/core';
import { becomesClass } from '@localgrad/image-data';
import { imageFolderOf } from './image-folder.js';
import type { RunConfig } from './run-config.js';

/** Where results are written. */
export interface OutputPlace {
  readonly folder: string;
  /** Flag that names the folder, for messages. */
  readonly option: string;
  /** Folder of the project, for relative paths of images. */
  readonly project?: string | undefined;
}

/** Rejects a folder for results that the next run would read as a class of the images. @throws LocalgradError `invalid-option` */
export async function checkOutput(
  { dataset }: Pick<RunConfig, 'dataset'>,
  { folder, option, project }: OutputPlace,
): Promise<void> {
  const images = imageFolderOf(dataset, project);
  if (images === undefined || !(await becomesClass(images.folder, folder))) return;
  throw new LocalgradError(
    'invalid-option',
    `Folder '${folder}' is inside the images of '${dataset}', where it would be read as a class. Choose a ${option} outside of them.`,
    { folder, dataset },
  );
}
