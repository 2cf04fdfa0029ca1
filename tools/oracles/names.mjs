import { backboneName } from '../../packages/backbones/dist/index.js';

/** Reference names ↔ ours. `ends`: last block of each module as `stage_index`, the last module included. */
export function ourName(reference, ends) {
  const module = (end) => {
    const index = ends.indexOf(end);
    if (index < 0)
      throw new Error(
        `'${reference}' belongs to block ${end}, which is not the last block of a module (${ends.join(', ')}).`,
      );
    return index;
  };
  let match = /^(Aug|EMA)_Net\.(\d+)\.(\d+)\.(.*)$/.exec(reference);
  if (match) {
    const [, kind, index, place, rest] = match;
    return `heads.module${index}.cascaded.leap.${kind === 'Aug' ? 'augmented' : 'ema'}.${place}.${rest}`;
  }
  match = /^aux_classifier_\d+_\d+_(\d+)\.(.*)$/.exec(reference);
  if (match) return `heads.module${match[1]}.cascaded.leap.end.${layer(match[2])}`;
  match = /^net_classifier_(\d+_\d+)\.(.*)$/.exec(reference);
  if (match) return `heads.module${module(match[1])}.${layer(match[2])}`;
  match = /^(?:aux_classifier|decoder)_(\d+_\d+)\.(.*)$/.exec(reference);
  if (match) return `heads.module${module(match[1])}.${layer(match[2])}`;
  return backboneName(reference);
}

/** The dense layer after pooling is named `head.2` by InfoPro and `fc` by MLAAN. */
function layer(rest) {
  return rest.replace(/^fc\./, 'head.2.');
}

/** Maps a local loss in the metadata to our objective or term. */
export function ourLoss(reference, ends, hasDecoder, isContrast) {
  let match = /^aux_classifier_\d+_\d+_(\d+)$/.exec(reference);
  if (match) return `module${match[1]}.cascaded`;
  match = /^(aux_classifier|net_classifier|decoder)_(\d+_\d+)$/.exec(reference);
  if (!match) return undefined;
  const objective = `module${ends.indexOf(match[2])}`;
  if (match[1] === 'decoder') return hasDecoder ? `${objective}/reconstruction` : undefined;
  if (match[1] === 'net_classifier' || !hasDecoder) return objective;
  return `${objective}/${isContrast ? 'contrast' : 'classification'}`;
}
