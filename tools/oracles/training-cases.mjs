import { inferMethod } from './methods.mjs';
import { ourLoss, ourName } from './names.mjs';

/** Training steps: those in `cases` of the metadata, or the whole file as one case. */
export function trainingCases(context) {
  const { stem, file } = context;
  const names = [...file.tensors.keys()];
  if (file.json.cases !== undefined) {
    return Object.entries(file.json.cases).flatMap(([name, entry]) =>
      trainingCase(context, { title: `${stem}/${name}`, prefix: `${name}/`, entry: { ...file.json, ...entry } }),
    );
  }
  if (!names.some((name) => name.startsWith('grad/'))) return [];
  return trainingCase(context, { title: stem, prefix: '', entry: file.json });
}

function trainingCase(context, { title, prefix, entry }) {
  const { file, files, put } = context;
  /**
   * Searches this case, this file, and other files of the folder that the metadata refers to or that contain the
   * tensor.
   */
  const others = [...files.values()].filter((other) => other !== file);
  const named = others.filter(({ name }) => JSON.stringify(entry).includes(`${name.replace('.safetensors', '')} `));
  const note = String(entry.note ?? '');
  const [weightsOf] = [...note.matchAll(/([\w]+)\/weights/g)]
    .map((match) => match[1])
    .filter((name) => `${name}/` !== prefix);
  const places = [
    [file, prefix],
    ...(weightsOf === undefined ? [] : [[file, `${weightsOf}/`]]),
    [file, ''],
    ...[...named, ...others].map((other) => [other, '']),
  ];
  const find = (name) => {
    for (const [place, before] of places) {
      const tensor = place.tensors.get(`${before}${name}`);
      if (tensor !== undefined) return { tensor, full: `${place === file ? '' : `${place.name}/`}${before}${name}` };
    }
    return undefined;
  };
  const use = (name) => {
    const found = find(name);
    if (found === undefined) throw new Error(`${title}: no file of the folder contains tensor '${name}'.`);
    return put(found.full, found.tensor);
  };
  const own = (group) =>
    [...file.tensors.keys()]
      .filter((name) => name.startsWith(`${prefix}${group}/`))
      .map((name) => name.slice(`${prefix}${group}/`.length));

  const network = describeNetwork(title, places, find);
  const method = inferMethod({ title, entry, network, own, places });
  const { ends, hasDecoder } = method;
  const toOurs = (name) => ourName(name, ends);
  const isOurs = (name) => (hasDecoder || !name.startsWith('decoder_')) && method.isEvaluated(name);
  const references = (group, options = {}) =>
    Object.fromEntries(
      own(group)
        .filter(isOurs)
        .map((name) => {
          const tensor = put(`${prefix}${group}/${name}`, file.tensors.get(`${prefix}${group}/${name}`));
          return [toOurs(name), Object.keys(options).length === 0 ? tensor : { tensor, ...options }];
        }),
    );

  const parameters = {};
  for (const name of network.weightNames) parameters[toOurs(name)] = use(`weights/${name}`);
  for (const name of method.auxiliaryNames.filter(isOurs)) parameters[toOurs(name)] = use(`weights/${name}`);
  for (const { our, live, scale } of method.copies(find)) {
    const tensor = use(`weights/${live}`);
    parameters[our] = scale === 1 ? tensor : { tensor, scale };
  }

  const after = [...file.tensors.keys()]
    .map((name) => new RegExp(`^${prefix}after(\\d+)/`).exec(name)?.[1])
    .find(Boolean);
  const steps = after === undefined ? 1 : Number(after);
  const trajectory = entry.sgd_losses ?? [];
  const count = Math.max(steps, trajectory.length, 1);
  const optimizer = count > 1 ? describeOptimizer(title, entry) : undefined;
  const inputs = Array.from({ length: count }, (_, step) => {
    const at = (kind) => inputName(places, kind, step);
    return { images: use(at('x')), labels: use(at('y')), ...(hasDecoder ? { pixels: use(at('u8')) } : {}) };
  });

  const final = method.finalLoss;
  const losses = Object.fromEntries(localLosses(entry, method));
  const lastLoss = entry.last_loss ?? entry.loss;
  if (lastLoss !== undefined) losses[final] = lastLoss;
  const statistics = { ...references('bn_after1'), ...references('bn_after') };
  const weightsAfter = after === undefined ? {} : references(`after${after}`);
  const isAverage = (name) => name.includes('.ema.');
  const split = (wanted) =>
    Object.fromEntries(Object.entries(weightsAfter).filter(([name]) => isAverage(name) === wanted));
  const features = featureReferences(context, file, prefix);
  const logits = find('logits');
  const evaluation = file.tensors.has(`${prefix}eval_logits_after_one_train_forward`)
    ? use('eval_logits_after_one_train_forward')
    : undefined;
  const digests = Object.fromEntries(
    own('digest/grad')
      .filter(isOurs)
      .map((name) => [toOurs(name), { tensor: use(`digest/grad/${name}`), digest: true }]),
  );
  const full = network.imageShape[0] >= 32;
  const expected = {
    features,
    ...(logits === undefined ? {} : { logits: put(logits.full, logits.tensor) }),
    losses,
    gradients: { ...digests, ...references('grad') },
    statistics,
    ...(trajectory.length === 0 ? {} : { trajectory: { [final]: trajectory } }),
    weights: split(false),
    averages: split(true),
    ...(evaluation === undefined ? {} : { evaluationLogits: evaluation }),
  };
  const { backbone, widths, imageShape, classes, lastBlocks } = { ...network, lastBlocks: method.lastBlocks };
  return [
    {
      case: title,
      kind: 'training',
      ...(typeof entry.case === 'string' ? { source: entry.case } : {}),
      network: { backbone, widths, imageShape, classes, lastBlocks },
      method: method.config,
      ...(optimizer === undefined ? {} : { optimizer }),
      inputs,
      parameters,
      comparison: full ? 'relative-l2' : 'largest-entry',
      expected: Object.fromEntries(Object.entries(expected).filter(([, group]) => Object.keys(group).length > 0)),
    },
  ];
}

/** `input/x_0` if steps have separate batches, else `input/x`, as in the nearest file with inputs. */
function inputName(places, kind, step) {
  const [place, before] = places.find(([{ tensors }, prefix]) =>
    [...tensors.keys()].some((name) => name.startsWith(`${prefix}input/`)),
  ) ?? [{ tensors: new Map() }, ''];
  const numbered = `input/${kind}_${step}`;
  return place.tensors.has(`${before}${numbered}`) ? numbered : `input/${kind}`;
}

function featureReferences({ put }, file, prefix) {
  const found = {};
  const blockName = (name) => (name === 'relu' ? 'stem' : name);
  const gather = (group, options) => {
    for (const [place, before] of [
      [file, prefix],
      [file, ''],
    ]) {
      for (const [name, tensor] of place.tensors) {
        if (!name.startsWith(`${before}${group}/`)) continue;
        const key = put(name, tensor);
        found[blockName(name.slice(`${before}${group}/`.length))] ??=
          options === undefined ? key : { tensor: key, ...options };
      }
    }
  };
  gather('feat');
  gather('feat0', { rows: 1 });
  gather('digest/feat', { digest: true });
  return found;
}

/** Local losses: `local` is a map by name, or a list with terms. */
function localLosses({ local = {} }, { ends, hasDecoder, isContrast }) {
  if (!Array.isArray(local)) {
    return Object.entries(local).flatMap(([name, value]) => {
      const ours = ourLoss(name, ends, hasDecoder, isContrast);
      return ours === undefined || typeof value !== 'number' ? [] : [[ours, value]];
    });
  }
  return local.flatMap((entry) => {
    const objective = `module${ends.indexOf(String(entry.module))}`;
    const classification = entry.loss_ixy_ce ?? entry.loss_ixy_contrast ?? entry.loss_ixy;
    const term = isContrast ? 'contrast' : 'classification';
    return [
      ...(entry.loss_ixx_bce === undefined || !hasDecoder ? [] : [[`${objective}/reconstruction`, entry.loss_ixx_bce]]),
      ...(classification === undefined || !hasDecoder ? [] : [[`${objective}/${term}`, classification]]),
      ...(entry.loss === undefined ? [] : [[objective, entry.loss]]),
    ];
  });
}

/** Parses the optimizer from the text `SGD: lr .02, momentum .9, nesterov, wd 1e-4`, or from an object `sgd`. */
function describeOptimizer(title, entry) {
  const text = [entry.case, entry.optimizer, entry.note].filter((part) => typeof part === 'string').join(' ');
  const read = (pattern) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const learningRate = entry.lr ?? read(/\blr\s*=?\s*([\d.e-]+\d)/i);
  const momentum = read(/\bmomentum\s*=?\s*([\d.e-]+\d)/i);
  const weightDecay = entry.weight_decay ?? read(/\b(?:wd|weight[ _]decay)\s*=?\s*([\d.e-]+\d)/i);
  if (![learningRate, momentum, weightDecay].every(Number.isFinite)) {
    throw new Error(`${title}: its steps require an optimizer, but the metadata has no lr, momentum and wd.`);
  }
  return { learningRate, momentum, nesterov: /nesterov/i.test(text), weightDecay };
}

function describeNetwork(title, places, find) {
  const weightNames = new Set();
  for (const [place, before] of places) {
    for (const name of place.tensors.keys()) {
      const inner = name.startsWith(`${before}weights/`) ? name.slice(`${before}weights/`.length) : '';
      if (/^(conv1|bn1|layer\d+\.|fc\.)/.test(inner)) weightNames.add(inner);
    }
    if (weightNames.has('conv1.weight')) break;
  }
  const shapeOf = (name) => find(`weights/${name}`)?.tensor.shape;
  const stem = shapeOf('conv1.weight');
  if (stem === undefined)
    throw new Error(`${title}: no file of the folder contains the network's weights (weights/conv1.weight …).`);
  const blocks = [...weightNames].map((name) => /^layer(\d+)\.(\d+)\./.exec(name)).filter(Boolean);
  const stages = Math.max(...blocks.map((match) => Number(match[1])));
  const perStage = Array.from({ length: stages }, (_, stage) =>
    Math.max(...blocks.filter((match) => Number(match[1]) === stage + 1).map((match) => Number(match[2]) + 1)),
  );
  if (stages !== 3 || new Set(perStage).size !== 1 || shapeOf('layer1.0.conv3.weight') !== undefined) {
    throw new Error(
      `${title}: only CIFAR ResNets (three stages with equal numbers of BasicBlocks) are supported, found ${perStage.join('+')}.`,
    );
  }
  const images = find(inputName(places, 'x', 0))?.tensor;
  if (images === undefined)
    throw new Error(`${title}: no file of the folder contains the input images (input/x or input/x_0).`);
  const [, channels, height, width] = images.shape;
  return {
    backbone: `resnet${6 * perStage[0] + 2}`,
    perStage: perStage[0],
    widths: [stem[0], ...[1, 2, 3].map((stage) => shapeOf(`layer${stage}.0.conv1.weight`)[0])],
    imageShape: [height, width, channels],
    classes: shapeOf('fc.weight')[0],
    weightNames: [...weightNames],
  };
}
