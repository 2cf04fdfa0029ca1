import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { damaged, matlabStructs, readArchiveMembers } from '@localgrad/data';

const devkit = 'ILSVRC2012_devkit_t12.tar.gz';

/** WordNet IDs of the classes of ImageNet's validation images, in order, from the development kit. */
export async function validationClasses(folder: string, howToGetIt: string): Promise<readonly string[]> {
  const path = join(folder, devkit);
  const files = await readArchiveMembers({ path, howToGetIt }, ['meta.mat', 'ILSVRC2012_validation_ground_truth.txt']);
  const [meta, truth] = files;
  if (meta === undefined || truth === undefined) {
    throw new LocalgradError('invalid-data', `${path} contains no labels. ${howToGetIt}`, { path });
  }
  const synsets = await matlabStructs(meta, 'synsets');
  const names = new Map(synsets.map((synset) => [Number(synset.ILSVRC2012_ID), String(synset.WNID)]));
  const lines = new TextDecoder().decode(truth.bytes).trim().split(/\s+/);
  return lines.map((line, index) => {
    const name = names.get(Number(line));
    if (name !== undefined && /^n\d{8}$/.test(name)) return name;
    throw damaged(truth, 0, `the number of a class of ${meta.path} on line ${index + 1}`, `'${line}'`);
  });
}
