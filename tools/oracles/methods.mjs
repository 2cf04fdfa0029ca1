import { ourName } from './names.mjs';

/** Infers the method of a case from metadata and the names and shapes of its tensors. */
export function inferMethod({ title, entry, network, own, places }) {
  const auxiliary = new Map();
  for (const [place, before] of places) {
    for (const [name, tensor] of place.tensors) {
      if (!name.startsWith(`${before}weights/`)) continue;
      const inner = name.slice(`${before}weights/`.length);
      if (/^(aux_classifier|net_classifier|decoder|Aug_Net|EMA_Net)/.test(inner) && !auxiliary.has(inner))
        auxiliary.set(inner, tensor);
    }
    // The nearest place with any of them belongs to the case.
    if (auxiliary.size > 0) break;
  }
  const lastBlock = [3, network.perStage - 1];
  const isLeaping = entry.lam !== undefined || own('grad').some((name) => name.startsWith('Aug_Net.'));
  const hasHeads = own('grad').some((name) => /^(aux_classifier|net_classifier|decoder)_/.test(name));
  if (!isLeaping && !hasHeads) {
    return {
      config: 'backprop',
      ends: [lastBlock.join('_')],
      lastBlocks: [lastBlock],
      finalLoss: 'final',
      hasDecoder: false,
      isContrast: false,
      auxiliaryNames: [],
      copies: () => [],
      isEvaluated: () => true,
    };
  }
  return isLeaping
    ? mlaanMethod({ title, entry, auxiliary, own, lastBlock })
    : localMethod({ title, entry, auxiliary, network, own, lastBlock });
}

function localMethod({ title, entry, auxiliary, network, own, lastBlock }) {
  const found = [
    ...new Set(
      own('grad')
        .map((name) => /^aux_classifier_(\d+_\d+)\./.exec(name)?.[1])
        .filter(Boolean),
    ),
  ];
  const splits = (entry.splits ?? (Array.isArray(entry.local) ? entry.local.map(({ module }) => module) : found)).map(
    String,
  );
  splits.sort((a, b) => {
    const [s, i] = a.split('_').map(Number);
    const [t, j] = b.split('_').map(Number);
    return s - t || i - j;
  });
  const ends = [...splits, lastBlock.join('_')];
  const head = headOf(title, splits, auxiliary, network);
  const { ixx, ixy } = lambdas(entry);
  const hasDecoder = ixx.some((value) => value > 0);
  const isPlain = !hasDecoder && ixy.every((value) => value === 1) && !head.isContrast;
  const options = {
    head: head.name,
    ...(head.widen === 1 ? {} : { widen: head.widen }),
    ...(head.featureDimension === undefined ? {} : { featureDimension: head.featureDimension }),
  };
  const config = isPlain
    ? { method: 'dgl', ...options }
    : {
        method: 'infopro',
        ...options,
        loss: head.isContrast ? 'contrast' : 'softmax',
        ixx1: ixx[0],
        ixy1: ixy[0],
        ixx2: ixx[1],
        ixy2: ixy[1],
      };
  return {
    config,
    ends,
    lastBlocks: ends.map(reference),
    finalLoss: 'final',
    hasDecoder,
    isContrast: head.isContrast,
    copies: () => [],
    isEvaluated: () => true,
    auxiliaryNames: [...auxiliary.keys()].filter((name) => hasDecoder || !name.startsWith('decoder_')),
  };
}

/** λ of the first and last local module. */
function lambdas({ call, local }) {
  if (Array.isArray(local) && local[0]?.lambda_x !== undefined) {
    const ends = [local[0], local.at(-1)];
    return { ixx: ends.map((entry) => entry.lambda_x), ixy: ends.map((entry) => entry.lambda_y) };
  }
  const { ixx_1 = 0, ixy_1 = 1, ixx_2 = ixx_1, ixy_2 = ixy_1 } = call ?? {};
  return { ixx: [ixx_1, ixx_2], ixy: [ixy_1, ixy_2] };
}

/** Infers XcYf from the layers of the first module's head. */
function headOf(title, [split], auxiliary, network) {
  const layers = [...auxiliary]
    .filter(
      ([name, { shape }]) =>
        name.startsWith(`aux_classifier_${split}.`) && name.endsWith('.weight') && shape.length > 1,
    )
    .map(([name, { shape }]) => ({ index: Number(/\.(\d+)\.weight$/.exec(name)?.[1] ?? 0), shape }))
    .sort((a, b) => a.index - b.index);
  const convolutions = layers.filter(({ shape }) => shape.length === 4);
  const dense = layers.filter(({ shape }) => shape.length === 2);
  if (dense.length === 0) throw new Error(`${title}: the head of module ${split} has no dense layer.`);
  const outputs = dense.at(-1).shape[0];
  const isContrast = outputs !== network.classes;
  const [first] = convolutions;
  const grown = first === undefined ? 1 : first.shape[1] < network.widths[3] ? 2 * first.shape[1] : first.shape[1];
  return {
    name: `${convolutions.length}c${dense.length}f`,
    isContrast,
    widen: first === undefined ? 1 : first.shape[0] / grown,
    ...(isContrast ? { featureDimension: outputs } : dense.length > 1 ? { featureDimension: dense[0].shape[0] } : {}),
  };
}

function mlaanMethod({ title, entry, auxiliary, own, lastBlock }) {
  const { modules, lam, wx = 0.001, wy = 0.999 } = entry;
  if (modules === undefined || lam === undefined) {
    throw new Error(`${title}: MLAAN requires 'modules' (last blocks) and 'lam' (leap blocks) in the metadata.`);
  }
  const last = modules.at(-1).join('_') === lastBlock.join('_') ? modules : [...modules, lastBlock];
  const ends = last.map((block) => block.join('_'));
  const trainsFirst = own('grad').some(
    (name) =>
      /^Aug_Net\.0\.|^aux_classifier_\d+_\d+_0\.|^net_classifier_1_0\./.test(name) && name.includes('Aug_Net.0.'),
  );
  const momentum = entry.momentum_ema ?? entry.ema_momentum ?? entry.momentum;
  const first = trainsFirst ? 0 : 1;
  const config = {
    decorator: 'mlaan',
    of: { method: 'greedy' },
    ...(trainsFirst ? { emaTime: 'beforeStep', statisticsUpdates: 'perForward' } : { variant: 'officialCode' }),
    momentum,
    independentWeight: wx,
    cascadeWeight: wy,
    leap: lam.slice(0, ends.length - 1),
  };
  // The reference also contains unused chains without a loss and averages of later chain blocks.
  const isEvaluated = (name) => {
    const module = Number(/^heads\.module(\d+)\./.exec(ourName(name, ends))?.[1] ?? first);
    return module >= first && module < ends.length - 1 && !/^EMA_Net\.\d+\.[1-9]/.test(name);
  };
  const scale = Number(/EMA_Net\s*=\s*([\d.]+)\s*\*/.exec(String(entry.note ?? ''))?.[1] ?? 1);
  // Chains that are not in the file are initialized as copies of the live blocks.
  const copies = (find) =>
    lam.slice(0, ends.length - 1).flatMap((chain, module) =>
      module < first
        ? []
        : chain.flatMap(([stage, index], place) =>
            ['Aug', 'EMA']
              .filter((kind) => kind === 'Aug' || place === 0)
              .flatMap((kind) =>
                layersOf(find, stage, index)
                  .filter((layer) => !auxiliary.has(`${kind}_Net.${module}.${place}.${layer}`))
                  .map((layer) => ({
                    our: ourName(`${kind}_Net.${module}.${place}.${layer}`, ends),
                    live: `layer${stage}.${index}.${layer}`,
                    scale: kind === 'EMA' ? scale : 1,
                  })),
              ),
          ),
    );
  return {
    config,
    ends,
    lastBlocks: ends.map(reference),
    hasDecoder: false,
    isContrast: false,
    copies,
    finalLoss: trainsFirst ? 'final' : 'final.cascaded',
    auxiliaryNames: [...auxiliary.keys()].filter(isEvaluated),
    isEvaluated,
  };
}

function layersOf(find, stage, index) {
  const names = ['conv1.weight', 'bn1.weight', 'bn1.bias', 'conv2.weight', 'bn2.weight', 'bn2.bias'];
  const projection = ['downsample.0.weight', 'downsample.1.weight', 'downsample.1.bias'];
  return [...names, ...projection].filter((layer) => find(`weights/layer${stage}.${index}.${layer}`) !== undefined);
}

function reference(end) {
  return end.split('_').map(Number);
}
