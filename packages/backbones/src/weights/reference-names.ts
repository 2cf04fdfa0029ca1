/** How the reference code names what a state dict holds (docs/methods/networks.md §1). */

/** What `DataParallel` and `torch.compile` put before every name. */
const wrappers = /^(?:module\.|_orig_mod\.)+/;
/** Networks beside the backbone, of InfoPro, DGL and MLAAN. */
const auxiliary = /^(?:aux_classifier|net_classifier|decoder)_\d+_|^(?:Aug|EMA)_Net\./;
export function withoutWrappers(name: string): string {
  return name.replace(wrappers, '');
}

/** Our name of a tensor of the backbone: the same but for MLAAN's classifier. */
export function backboneName(reference: string): string {
  return reference.replace(/^fc64\./, 'fc.');
}

export function isAuxiliary(reference: string): boolean {
  return auxiliary.test(reference);
}

/** The number of models that `AveragedModel` of `torch.optim.swa_utils` has averaged, beside the wrapped network. */
export function isAverageCounter(reference: string): boolean {
  return reference === 'n_averaged';
}

/** A batch norm counts batches in a tensor that PyTorch reads only where its momentum is None. */
const counter = 'num_batches_tracked';

/** Name of the batch norm whose counter a tensor is; undefined for other tensors. */
export function batchNormOf(reference: string): string | undefined {
  return reference.endsWith(`.${counter}`) ? reference.slice(0, -counter.length - 1) : undefined;
}

/** Name of the counter that follows a batch norm's last tensor; undefined for other tensors. */
export function batchCounterAfter(name: string): string | undefined {
  const last = '.running_var';
  return name.endsWith(last) ? `${name.slice(0, -last.length)}.${counter}` : undefined;
}
