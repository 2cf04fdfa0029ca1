/** Tensor names in state dicts of the reference code (docs/methods/networks.md §1). */

/** Prefixes added by `DataParallel` and `torch.compile`. */
const wrappers = /^(?:module\.|_orig_mod\.)+/;
/** Auxiliary networks of InfoPro, DGL and MLAAN. */
const auxiliary = /^(?:aux_classifier|net_classifier|decoder)_\d+_|^(?:Aug|EMA)_Net\./;
export function withoutWrappers(name: string): string {
  return name.replace(wrappers, '');
}

/** Our name of a backbone tensor; differs from the reference name only for MLAAN's classifier. */
export function backboneName(reference: string): string {
  return reference.replace(/^fc64\./, 'fc.');
}

export function isAuxiliary(reference: string): boolean {
  return auxiliary.test(reference);
}

/** The counter of averaged models that `AveragedModel` of `torch.optim.swa_utils` stores besides the network. */
export function isAverageCounter(reference: string): boolean {
  return reference === 'n_averaged';
}

/** The batch counter of a batch norm, which PyTorch reads only if its momentum is None. */
const counter = 'num_batches_tracked';

/** Name of the batch norm of a counter tensor; undefined for other tensors. */
export function batchNormOf(reference: string): string | undefined {
  return reference.endsWith(`.${counter}`) ? reference.slice(0, -counter.length - 1) : undefined;
}

/** Name of the counter that follows a batch norm's last tensor; undefined for other tensors. */
export function batchCounterAfter(name: string): string | undefined {
  const last = '.running_var';
  return name.endsWith(last) ? `${name.slice(0, -last.length)}.${counter}` : undefined;
}
