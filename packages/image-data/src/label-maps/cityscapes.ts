/** The 19 evaluated classes of Cityscapes (Cordts et al., CVPR 2016), in the order of their train IDs. */
export const cityscapesClasses: readonly string[] = [
  'road',
  'sidewalk',
  'building',
  'wall',
  'fence',
  'pole',
  'traffic light',
  'traffic sign',
  'vegetation',
  'terrain',
  'sky',
  'person',
  'rider',
  'car',
  'truck',
  'bus',
  'train',
  'motorcycle',
  'bicycle',
];

/** IDs of these classes in `labelIds` maps. */
const ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33];

/** The train ID of a value in a `labelIds` map; 255 for classes that are not evaluated. */
export function trainIdOf(id: number): number {
  const index = ids.indexOf(id);
  return index < 0 ? 255 : index;
}
