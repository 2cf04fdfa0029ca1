import { expect, it } from 'vitest';
import { imageFolder } from './image-folder.js';
import { imagenet } from './imagenet.js';
import { labelMapFolder } from './label-maps/label-map-folder.js';
import { parquetFolder } from './parquet/parquet.js';

const wrong = { folder: 'photos', holdout: 0.5 } as never;
const options = 'folder, holdOut, seed';

it.each<[string, (options: never) => Promise<unknown>, string]>([
  ['imageFolder', imageFolder, options],
  ['labelMapFolder', labelMapFolder, options],
  ['parquetFolder', parquetFolder, 'folder, labels, holdOut, seed'],
  ['imagenet', imagenet, 'folder'],
])('%s names an unknown option and the allowed ones', async (where, open, allowed) => {
  await expect(open(wrong)).rejects.toThrow(
    new RegExp(`Unknown option of ${where} 'holdout'\\..*Allowed: ${allowed}\\.`),
  );
});
