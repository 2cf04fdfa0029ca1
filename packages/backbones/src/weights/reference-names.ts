/** Tensor names in state dicts of torchvision, timm and the reference code (docs/methods/networks.md §1). */

/** Prefixes added by `DataParallel` and `torch.compile`. */
const wrappers = /^(?:module\.|_orig_mod\.)+/;
/** Auxiliary networks of InfoPro, DGL and MLAAN, and of torchvision's and mmsegmentation's networks for label maps. */
const auxiliary =
  /^(?:aux_classifier|net_classifier|decoder)_\d+_|^(?:Aug|EMA)_Net\.|^(?:aux_classifier|auxiliary_head)\./;
export function withoutWrappers(name: string): string {
  return name.replace(wrappers, '');
}

/** Names that differ from ours: patterns of names in state dicts, and what to replace the match with. */
const renamed: readonly (readonly [pattern: RegExp, ours: string])[] = [
  // MLAAN's classifier.
  [/^fc64\./, 'fc.'],
  // torchvision's vision transformers.
  [/^conv_proj\./, 'patch_embed.proj.'],
  [/^class_token$/, 'cls_token'],
  [/^encoder\.pos_embedding$/, 'pos_embed'],
  [/^encoder\.ln\./, 'norm.'],
  [/^heads\.head\./, 'head.'],
  [/^encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\./, 'blocks.$1.norm$2.'],
  [/^encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_/, 'blocks.$1.attn.qkv.'],
  [/^encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\./, 'blocks.$1.attn.proj.'],
  [/^encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\./, 'blocks.$1.mlp.fc1.'],
  [/^encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\./, 'blocks.$1.mlp.fc2.'],
  // timm's VGG.
  [/^pre_logits\.fc1\./, 'classifier.0.'],
  [/^pre_logits\.fc2\./, 'classifier.3.'],
  [/^head\.fc\./, 'classifier.6.'],
  // DenseNets in torchvision's published files.
  [/(\.denselayer\d+\.(?:norm|conv))\.([12])\./, '$1$2.'],
];

/** Our name of a backbone tensor in a state dict of torchvision, timm or a reference implementation. */
export function backboneName(reference: string): string {
  const rule = renamed.find(([pattern]) => pattern.test(reference));
  return rule === undefined ? reference : reference.replace(rule[0], rule[1]);
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
