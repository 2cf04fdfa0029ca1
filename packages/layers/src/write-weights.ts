import { type Backbone, LocalgradError } from '@localgrad/core';
import { LayersModel, mul, reshape, tidy } from '@tensorflow/tfjs';
import type { Layer } from './layer-graph.js';
import { shapeOf, weightName } from './layer-weights.js';
import { originOf } from './layers-backbone.js';

/**
 * Copies the weights and moving statistics of a backbone into a model with its layers.
 *
 * @throws LocalgradError `misuse` for backbones that are not from a model; `shape-mismatch` if the model has other layers
 *   or weights, before anything is written
 */
export function writeWeights(backbone: Backbone, model: LayersModel): void {
  const origin = originOf(backbone);
  if (origin === undefined) {
    throw new LocalgradError('misuse', `Backbone '${backbone.name}' was not built from a model of layers.`, {
      backbone: backbone.name,
    });
  }
  const layers = new Map(allLayers(model).map((layer) => [layer.name, layer]));
  const writes = origin.bindings.map(({ layer, index, parameter }) => {
    const variable = layers.get(layer.name)?.weights[index];
    const own = layer.weights[index];
    const expected = own === undefined ? [] : shapeOf(own);
    if (variable === undefined || String(shapeOf(variable)) !== String(expected)) {
      const weight = own === undefined ? index : weightName(own);
      const found = variable === undefined ? 'no such weight' : `[${shapeOf(variable).join(', ')}]`;
      throw new LocalgradError(
        'shape-mismatch',
        `Model '${model.name}' does not have the layers of '${backbone.name}': weight '${weight}' of layer '${layer.name}' has shape [${expected.join(', ')}]; found ${found}.`,
        { layer: layer.name, weight },
      );
    }
    return () => {
      // A copy: kernels of wasm reject a bias whose data another shape has been given to.
      const value = tidy(() => mul(reshape(parameter.value, expected), 1));
      variable.write(value);
      value.dispose();
    };
  });
  for (const write of writes) write();
}

/**
 * A new model with the layers and the current weights of a backbone; owned by the caller. Undefined for backbones that were
 * not read from the files of a model.
 */
export async function trainedLayersModel(backbone: Backbone): Promise<LayersModel | undefined> {
  const model = await originOf(backbone)?.restore?.();
  if (model !== undefined) writeWeights(backbone, model);
  return model;
}

/** The layers of a model, and those of nested models. */
function allLayers({ layers }: LayersModel): Layer[] {
  return layers.flatMap((layer) => (layer instanceof LayersModel ? allLayers(layer) : [layer]));
}
