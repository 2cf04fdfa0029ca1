import { type StoredTensor, weightToPyTorch, writeSafetensors } from '@localgrad/nn/serialization';
import { backboneOf, backboneParameters, valuesOf, type WeightsOwner } from './backbone-parameters.js';
import { describe, descriptionKey, type WeightsExtra } from './description.js';
import { batchCounterAfter } from './reference-names.js';

/**
 * Writes a backbone's weights and running statistics to a safetensors file with our names and layouts (convolutions
 * [height, width, in, out], dense [in, out]). Its metadata `localgrad` is JSON of `{ backbone, inputShape, classes,
 * normalization, classNames }`, from which `readBackbone` rebuilds the network.
 */
export async function weightsFile(owner: WeightsOwner, extra: WeightsExtra = {}): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, parameter] of backboneParameters(owner)) {
    tensors.set(name, { dtype: 'F32', ...(await valuesOf(parameter)) });
  }
  return writeSafetensors({
    tensors,
    metadata: { [descriptionKey]: JSON.stringify(describe(backboneOf(owner), extra)) },
  });
}

/**
 * Writes a safetensors file with the state dict of the reference network in PyTorch, including its layouts, for
 * `load_state_dict(safetensors.torch.load_file(…), strict=True)`. The counters `num_batches_tracked` are 0; PyTorch
 * reads them only for batch norms without momentum.
 */
export async function pytorchFile(owner: WeightsOwner): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, parameter] of backboneParameters(owner)) {
    tensors.set(name, { dtype: 'F32', ...weightToPyTorch(await valuesOf(parameter)) });
    const counter = batchCounterAfter(name);
    if (counter !== undefined) tensors.set(counter, { dtype: 'I64', shape: [], data: Float64Array.of(0) });
  }
  // The loaders of safetensors require `format`.
  return writeSafetensors({ tensors, metadata: { format: 'pt' } });
}
