import { io, type LayersModel } from '@tensorflow/tfjs';

/** A network in the format of `tf.loadLayersModel`. */
export interface LayersModelFiles {
  /** `model.json`; refers to `weights.bin` for the weights. */
  readonly model: string;
  /** `weights.bin` */
  readonly weights: Uint8Array;
}

/** A model of TensorFlow.js layers as files. */
export async function saveLayersModel(model: LayersModel): Promise<LayersModelFiles> {
  let saved: io.ModelArtifacts | undefined;
  await model.save(
    io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
    }),
  );
  const { weightSpecs = [], weightData = new ArrayBuffer(0), modelTopology, userDefinedMetadata } = saved ?? {};
  const json = {
    modelTopology,
    format: 'layers-model',
    generatedBy: saved?.generatedBy ?? '',
    convertedBy: null,
    weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
    userDefinedMetadata,
  };
  return { model: JSON.stringify(json), weights: new Uint8Array(io.CompositeArrayBuffer.join(weightData)) };
}
