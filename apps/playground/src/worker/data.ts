import { type DatasetSplits, datasetFromArrays, loadDataset } from '@localgrad/data';
import type { SharedSettings } from '../settings/settings.js';
import type { OwnImages } from './protocol.js';

/** The images of a run, prepared as a run config prepares them. */
export async function imagesOf(shared: SharedSettings, own: OwnImages | undefined): Promise<DatasetSplits> {
  const { dataset, resize, trainImages, testImages } = shared;
  if (dataset === 'own') {
    if (own === undefined) throw new Error('Drop a folder of pictures first: one folder per class.');
    if (own.size !== resize) {
      throw new Error(
        `The pictures were read as ${own.size} × ${own.size} pixels. Drop the folder again to use ${resize}.`,
      );
    }
    return ownSplits(own);
  }
  return loadDataset(dataset, { resize, train: trainImages, test: testImages });
}

function ownSplits({ name, classes, size, train, test }: OwnImages): DatasetSplits {
  const dataset = ({ images, labels }: OwnImages['train']) =>
    datasetFromArrays({ name, classes, imageShape: [size, size, 3], images, labels });
  return { config: { dataset: name }, train: dataset(train), test: dataset(test) };
}
