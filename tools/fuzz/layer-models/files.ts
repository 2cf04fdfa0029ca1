import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork } from '@localgrad/core';
import type { LayersNetwork } from '@localgrad/layers';
import { readLayersModel } from '@localgrad/layers/files';
import { createScope } from '@localgrad/nn/random';
import { io, type LayersModel } from '@tensorflow/tfjs';
import { allLayers } from './build-model.js';

/** The network of a model that was saved and read again; undefined for models that TensorFlow.js does not save completely. */
export async function networkOfFiles(model: LayersModel): Promise<Pick<LayersNetwork, 'network'> | undefined> {
  // Its config omits the depth multiplier.
  if (allLayers(model).some((layer) => layer.getClassName() === 'SeparableConv2D')) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-model-'));
  try {
    await model.save(io.withSaveHandler((artifacts) => write(folder, artifacts)));
    const factory = (await readLayersModel(join(folder, 'model.json'))).backbone();
    const backbone = factory.build({ ...factory.images, scope: createScope(0) });
    return { network: createNetwork(backbone, [backbone.blocks.length]) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As `model.save` does in Node.js. */
async function write(
  folder: string,
  { modelTopology, weightSpecs, weightData }: io.ModelArtifacts,
): Promise<io.SaveResult> {
  const parts = Array.isArray(weightData) ? weightData : [weightData ?? new ArrayBuffer(0)];
  writeFileSync(join(folder, 'weights.bin'), Buffer.concat(parts.map((part) => Buffer.from(part))));
  const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ modelTopology, weightsManifest, format: 'layers-model' }));
  return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
}
