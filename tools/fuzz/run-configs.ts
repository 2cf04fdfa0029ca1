import fc from 'fast-check';

/** Text of an expression such as `mlm(dgl, window: 2)`. */
type Expression = fc.Arbitrary<string>;
type Options = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const texts = (...values: readonly string[]) => fc.constantFrom(...values);
const numbers = (...values: readonly number[]) => fc.constantFrom(...values);
const integers = (min: number, max: number) => fc.integer({ min, max });
const yes = fc.constant(true);

/** Few of the options, since many exclude each other. */
const some = (options: Options) =>
  fc
    .record(
      Object.fromEntries(
        Object.entries(options).map(([name, values]) => [
          name,
          fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values }),
        ]),
      ),
    )
    .map((given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));

function expression(name: string, options: Options, ...inner: readonly Expression[]): Expression {
  return fc.tuple(fc.tuple(...inner), some(options)).map(([operands, given]) => {
    const settings = Object.entries(given).map(([option, value]) => `${option}: ${value}`);
    const parts = [...operands, ...settings];
    return parts.length === 0 ? name : `${name}(${parts.join(', ')})`;
  });
}

const head = texts('0c1f', '0c2f', '1c1f', '1c2f', '1c3f', '2c2f', 'dgl-mlp-sr', 'dgl-mlp', 'dgl-cnn', 'auglocal-dgl');

const methods: readonly Expression[] = [
  texts('backprop', 'greedy'),
  expression('dgl', { head }),
  expression('dni', { hidden: integers(4, 12), kernelSize: numbers(1, 3, 5), conditional: yes }),
  expression('infopro', {
    head: texts('0c1f', '1c2f', '2c2f'),
    loss: texts('softmax', 'contrast'),
    featureDimension: integers(2, 32),
    temperature: numbers(0.2),
    lambdaIndex: texts('module', 'stage', 'nextStage'),
    reconstruct: texts('image', 'input'),
  }),
  expression('predsim', {
    loss: texts('predsim', 'pred', 'sim'),
    beta: numbers(0, 0.5, 0.99, 1),
    decoderInputs: integers(32, 2048),
    finalWeight: numbers(0.5, 1),
  }),
  expression('auglocal', { depth: integers(2, 4), pyramid: numbers(0.2, 0.5), layers: texts('residual', 'vgg') }),
  expression('mono-forward', { features: texts('flatten', 'average') }),
  expression('hpff', { head, featureDimension: integers(2, 32) }),
];

const windows: Options = {
  window: integers(1, 4),
  within: texts('network', 'stage'),
  prune: yes,
  heads: texts('separate', 'shared'),
  incompleteWindows: texts('cut', 'skip'),
  finalLoss: texts('both', 'cascaded'),
  statisticsUpdates: texts('once', 'perForward'),
  independentWeight: numbers(0, 0.5, 2),
  cascadeWeight: numbers(0.5, 1),
};

const leaps: Options = {
  momentum: numbers(0, 0.5, 0.99, 0.999),
  emaBlocks: texts('none', 'first', 'all'),
  chain: texts('learnable', 'ema'),
  leap: texts('rule', 'next', 'table'),
  maximumLength: integers(1, 3),
  initialize: texts('copy', 'independent'),
  scale: texts('none', 'learned'),
  emaUpdate: texts('all', 'lastOnly'),
  emaTime: texts('afterStep', 'beforeStep'),
  chainPool: integers(1, 2),
  share: texts('none', 'stage'),
  shareScale: texts('mean', 'sum'),
  part: texts('all', 'classification'),
};

const on = texts('independent', 'cascaded', 'all');

function decorated(inner: Expression): readonly Expression[] {
  return [
    expression('mlm', windows, inner),
    expression('lam', { ...leaps, on }, inner),
    expression('mlaan', { ...windows, ...leaps, variant: texts('clean', 'officialCode') }, inner),
    expression(
      'lean-mlaan',
      {
        chainPool: integers(1, 2),
        maximumLength: integers(1, 3),
        share: texts('none', 'stage'),
        part: texts('all', 'classification'),
        finalWindow: fc.constantFrom('free', 1, 2),
        insideWeight: numbers(0.5, 1),
      },
      inner,
    ),
    expression(
      'man',
      {
        momentum: numbers(0.5, 0.99),
        scale: texts('none', 'learned'),
        depth: integers(1, 2),
        initialize: texts('copy', 'independent'),
        emaTime: texts('afterStep', 'beforeStep'),
      },
      inner,
    ),
    expression(
      'pff',
      { patches: integers(1, 2), networks: texts('shared', 'separate'), reduction: texts('mean', 'sum'), on },
      inner,
    ),
    expression('sequential', {}, inner),
    fc.tuple(inner, integers(0, 3)).map(([method, after]) => `deep-supervision(${method}, after: ${after})`),
  ];
}

const { method } = fc.letrec<{ method: string }>((tie) => ({
  method: fc.oneof({ maxDepth: 3, depthSize: 'small', withCrossShrink: true }, ...methods, ...decorated(tie('method'))),
}));

const backbones = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      backbone: texts('tiny', 'resnet8', 'resnet14', 'resnet20'),
      width: integers(2, 6),
      resize: numbers(8, 12, 16),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      backbone: texts(
        'resnet18(width: 8)',
        'resnet50(width: 8, layers: [1, 1, 1, 1])',
        'resnext50-32x4d(width: 16, layers: [1, 1, 1, 1])',
        'mlp(layers: 3, width: 32)',
        'densenet-bc-16-4',
        'wide-resnet-10-1',
      ),
      resize: numbers(8, 12, 16),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ backbone: texts('vit(width: 16, heads: 2, depth: 3, patch: 4)'), resize: numbers(8) }),
  },
  // Its classifier of three large layers takes seconds.
  { weight: 1, arbitrary: fc.record({ backbone: texts('vgg11'), width: integers(2, 6), resize: numbers(32) }) },
);

const cuts = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ modules: integers(2, 4), partition: texts('even', 'balanced-memory', 'balanced-peak') }),
  },
  { weight: 1, arbitrary: fc.record({ memoryBudget: texts('4MiB', '8MiB', '32MiB') }) },
);

const settings = some({
  stemModule: texts('merged', 'own'),
  memory: texts('residuals', 'recompute'),
  validation: numbers(0.2, 0.4),
  accumulate: integers(2, 3),
  augment: texts('none', 'fashion-mnist', 'cifar10', 'svhn'),
  cutout: integers(1, 4),
  optimizer: texts('sgd', 'adam', 'adamw', 'sgd(momentum: 0)', 'sgd(nesterov: false)'),
  clipNorm: numbers(1),
  labelSmoothing: numbers(0.1),
  schedule: texts('cosine', 'constant', 'epochCosine', 'stepDecay', 'polynomial(end: 1e-4)'),
  classesPerBatch: integers(1, 3),
  probe: yes,
});

const buffers = fc
  .record({
    buffer: integers(1, 3),
    sampling: texts('priorityLifo', 'lifo', 'random', 'publishedLifo'),
    slow: texts('', '1@2'),
  })
  .map(
    ({ buffer, sampling, slow }) => `buffer: ${buffer}, sampling: ${sampling}${slow === '' ? '' : `, slow: ${slow}`}`,
  );

/** When modules see which weights, gradients and inputs; refused where nothing is late. */
function late(method: string): fc.Arbitrary<Readonly<Record<string, unknown>>> {
  const few = <T>(values: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });
  return fc
    .record({
      delay: /lam|man|mlaan/.test(method) ? integers(0, 2) : fc.constant(0),
      gradientDelay: /mlm|mlaan|hpff|auglocal|backprop/.test(method) ? few(integers(1, 2)) : fc.constant(undefined),
      asynchronous: few(buffers),
    })
    .map(({ delay, gradientDelay, asynchronous }) => ({
      ...(delay > 0 ? { delay } : {}),
      ...(gradientDelay === undefined ? {} : { gradientDelay }),
      ...(asynchronous === undefined ? {} : { asynchronous }),
    }));
}

const training = fc.record({
  trainImages: integers(20, 60),
  epochs: integers(1, 3),
  batch: integers(4, 20),
  learningRate: numbers(0.001, 0.05),
  seed: integers(1, 9),
});

const mapMethods = texts(
  'backprop',
  'greedy',
  'dgl(head: infopro-segmentation)',
  'dgl(head: mmsegmentation-fcn)',
  'infopro(head: infopro-segmentation, decoder: segmentation)',
);

/** The same for images with label maps. @param dataset their folder; of three classes */
export function labelMapConfigs(dataset: string): fc.Arbitrary<Readonly<Record<string, unknown>>> {
  return fc
    .tuple(
      fc.record({
        dataset: fc.constant(dataset),
        backbone: texts(
          'fcn-resnet18(width: 4, layers: [1, 1, 1, 1])',
          'deeplabv3-resnet50(width: 4, layers: [1, 1, 1, 1])',
        ),
        resize: fc.constantFrom(16, 24, [16, 24]),
        method: fc.oneof(mapMethods, ...decorated(mapMethods)),
      }),
      cuts,
      settings,
      some({ pipeline: texts('cityscapes'), decode: texts('during', 'before') }),
      training,
    )
    .map((options) => Object.assign({ testImages: 20 }, ...options));
}

/** What a user may ask for: networks and data small enough for a second of training. Many are refused, with a reason. */
export const runConfigs: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .tuple(
    backbones,
    method.chain((name) => late(name).map((given) => ({ method: name, ...given }))),
    cuts,
    settings,
    training,
  )
  .map((parts) => Object.assign({ testImages: 20 }, ...parts));
