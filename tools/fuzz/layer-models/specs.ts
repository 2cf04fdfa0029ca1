import fc from 'fast-check';

/** A layer: a function of `tf.layers`, and its options. `filters` and `units` of 0 are the input's channels. */
export interface LayerSpec {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly frozen: boolean;
}

/** Arms that read the same tensor and a layer that joins them; a branch without layers is a shortcut. */
export interface BranchSpec {
  readonly join: string;
  readonly arms: readonly (readonly LayerSpec[])[];
}

/** A model within the model. */
export interface NestedSpec {
  readonly nested: readonly LayerSpec[];
}

export type PartSpec = LayerSpec | BranchSpec | NestedSpec;

/** The layers that end in class scores, or do not. */
export interface EndSpec {
  readonly pooling: 'flatten' | 'globalAveragePooling2d' | 'globalMaxPooling2d' | 'none';
  readonly classes: number;
  readonly dropout: boolean;
  readonly activation: string;
  readonly place: 'dense' | 'activation' | 'layer';
  /** Layers behind the class scores. */
  readonly behind: readonly LayerSpec[];
}

export interface ModelSpec {
  readonly input: readonly number[];
  readonly parts: readonly PartSpec[];
  readonly end: EndSpec;
  readonly weights: Values;
  readonly images: Values;
  readonly seed: number;
}

/** Kinds of random numbers: normal ones, or few different ones, with zeros and ties. */
export type Values = 'normal' | 'tied';

const integers = (min: number, max: number) => fc.integer({ min, max });
const texts = <Text extends string>(...values: readonly Text[]) => fc.constantFrom(...values);

/** Each option is absent as often as present. */
const some = (options: Readonly<Record<string, fc.Arbitrary<unknown>>>) => fc.record(options, { requiredKeys: [] });

const pair = (max: number) => fc.oneof(integers(1, max), fc.tuple(integers(1, max), integers(1, max)));
/** Steps of 1 are the most frequent ones. */
const steps = fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: pair(3) });
const padding = texts('valid', 'same');
const channels = fc.oneof(fc.constant(0), integers(1, 5));
const activation = texts(
  'linear',
  'relu',
  'relu6',
  'sigmoid',
  'elu',
  'selu',
  'tanh',
  'softplus',
  'softsign',
  'hardSigmoid',
  'softmax',
  'logSoftmax',
  'swish',
  'mish',
  'gelu',
);
const filter = { strides: steps, padding, activation, useBias: fc.boolean(), dilationRate: dilation() };

/** Rarely above 1: no other layer is as often unsupported. */
function dilation() {
  return fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: pair(2) });
}

const rarely = <Value>(value: Value, usual: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 19, arbitrary: usual }, { weight: 1, arbitrary: fc.constant(value) });

type Kinds = Readonly<Record<string, fc.Arbitrary<Readonly<Record<string, unknown>>>>>;

const withSome = (
  required: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  optional: Readonly<Record<string, fc.Arbitrary<unknown>>>,
) => fc.tuple(fc.record(required), some(optional)).map(([a, b]): Readonly<Record<string, unknown>> => ({ ...a, ...b }));

const none = fc.constant({});

const common: Kinds = {
  conv2d: withSome({ filters: channels, kernelSize: pair(4) }, filter),
  depthwiseConv2d: withSome({ kernelSize: pair(3) }, { ...filter, depthMultiplier: integers(1, 3) }),
  separableConv2d: withSome({ filters: channels, kernelSize: pair(3) }, { ...filter, depthMultiplier: integers(1, 3) }),
  dense: withSome({ units: channels }, { activation, useBias: fc.boolean() }),
  batchNormalization: some({
    epsilon: fc.constantFrom(1e-3, 1e-2, 0.5),
    momentum: fc.constantFrom(0, 0.5, 0.9, 0.99, 1),
    center: fc.boolean(),
    scale: fc.boolean(),
  }),
  activation: fc.record({ activation }),
  // Bounds that no tied number has: gradients at a bound are 0 or 1, as one likes.
  reLU: some({ maxValue: fc.constantFrom(0.46, 1.03, 6.07) }),
  maxPooling2d: some({ poolSize: pair(3), strides: steps, padding }),
  averagePooling2d: some({ poolSize: pair(3), strides: steps, padding }),
  zeroPadding2d: some({
    padding: fc.tuple(fc.tuple(integers(0, 2), integers(0, 1)), fc.tuple(integers(0, 1), integers(0, 2))),
  }),
  dropout: fc.record({ rate: fc.constantFrom(0, 0.3, 0.9) }),
};

const others: Kinds = {
  flatten: none,
  globalAveragePooling2d: none,
  globalMaxPooling2d: none,
  reshape: fc.record({ order: texts('flat', 'rows', 'columns', 'map', 'swapped') }),
  permute: fc.record({ order: texts('reversed', 'rotated') }),
  upSampling2d: some({ size: fc.tuple(integers(1, 2), integers(1, 2)), interpolation: texts('nearest', 'bilinear') }),
  conv2dTranspose: withSome(
    { filters: channels, kernelSize: pair(3) },
    { strides: steps, padding, activation, useBias: fc.boolean() },
  ),
  cropping2D: fc.record({
    cropping: fc.tuple(fc.tuple(integers(0, 1), integers(0, 1)), fc.tuple(integers(0, 1), integers(0, 1))),
  }),
  layerNormalization: some({ epsilon: fc.constantFrom(1e-3, 0.1), center: fc.boolean(), scale: fc.boolean() }),
  leakyReLU: some({ alpha: fc.constantFrom(0, 0.3) }),
  elu: some({ alpha: fc.constantFrom(0.5, 1) }),
  prelu: some({ sharedAxes: fc.constantFrom([1], [1, 2]) }),
  thresholdedReLU: some({ theta: fc.constantFrom(0, 0.5) }),
  softmax: some({ axis: fc.constantFrom(-1, 1, 2, 3) }),
  repeatVector: fc.record({ n: integers(1, 3) }),
  rescaling: fc.record({ scale: fc.constantFrom(0.5, -2), offset: fc.constantFrom(0, 1) }),
  conv1d: withSome(
    { filters: channels, kernelSize: integers(1, 3) },
    {
      strides: integers(1, 2),
      padding: texts('valid', 'same', 'causal'),
      activation,
      dilationRate: dilation().map((rate) => (Array.isArray(rate) ? rate[0] : rate)),
    },
  ),
  globalAveragePooling1d: none,
  globalMaxPooling1d: none,
  maxPooling1d: some({ poolSize: integers(1, 2), padding }),
  averagePooling1d: some({ poolSize: integers(1, 2), padding }),
  simpleRNN: withSome({ units: channels }, recurrent()),
  gru: withSome({ units: channels }, recurrent()),
  lstm: withSome({ units: channels }, recurrent()),
  gaussianNoise: fc.record({ stddev: fc.constant(0.1) }),
  gaussianDropout: fc.record({ rate: fc.constant(0.1) }),
  alphaDropout: fc.record({ rate: fc.constant(0.1) }),
  spatialDropout1d: fc.record({ rate: fc.constant(0.1) }),
  masking: none,
  embedding: fc.record({ inputDim: integers(4, 9), outputDim: integers(1, 3) }),
  timeDistributed: fc.record({ units: integers(1, 3) }),
  bidirectional: fc.record({ units: integers(1, 3), mergeMode: texts('concat', 'sum', 'mul', 'ave') }),
  stackedRNN: fc.record({ units: integers(1, 3), dropout: fc.constantFrom(0, 0.4) }),
};

function recurrent() {
  return {
    activation,
    returnSequences: fc.boolean(),
    goBackwards: fc.boolean(),
    useBias: fc.boolean(),
    dropout: fc.constantFrom(0, 0, 0, 0.2),
  };
}

const fromKinds = (kinds: Kinds): fc.Arbitrary<LayerSpec> =>
  fc.oneof(
    ...Object.entries(kinds).map(([kind, options]) =>
      fc.record({
        kind: fc.constant(kind),
        options,
        frozen: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      }),
    ),
  );

const layer = fc.oneof({ weight: 4, arbitrary: fromKinds(common) }, { weight: 2, arbitrary: fromKinds(others) });

/** A layer that keeps the shape of its input, so that arms of sums fit together. */
const sameShape = fc.oneof(
  fromKinds({
    conv2d: fc.record({
      filters: fc.constant(0),
      kernelSize: pair(3),
      padding: fc.constant('same'),
      useBias: fc.boolean(),
    }),
    depthwiseConv2d: fc.record({ kernelSize: pair(3), padding: fc.constant('same') }),
    dense: fc.record({ units: fc.constant(0), activation }),
    batchNormalization: some({ momentum: fc.constantFrom(0.9, 0.5) }),
    activation: fc.record({ activation }),
    reLU: none,
    maxPooling2d: fc.record({ poolSize: pair(3), strides: fc.constant(1), padding: fc.constant('same') }),
    gru: fc.record({ units: fc.constant(0), returnSequences: fc.constant(true) }),
  }),
);

const branch: fc.Arbitrary<BranchSpec> = fc.record({
  join: texts(
    'add',
    'add',
    'concatenate',
    'concatenate',
    'concatenate1',
    'multiply',
    'average',
    'maximum',
    'minimum',
    'dot',
  ),
  arms: fc.array(
    fc.array(fc.oneof({ weight: 5, arbitrary: sameShape }, { weight: 1, arbitrary: layer }), { maxLength: 3 }),
    {
      minLength: 2,
      maxLength: 3,
    },
  ),
});

const part: fc.Arbitrary<PartSpec> = fc.oneof(
  { weight: 8, arbitrary: layer },
  { weight: 3, arbitrary: branch },
  { weight: 1, arbitrary: fc.record({ nested: fc.array(layer, { minLength: 1, maxLength: 3 }) }) },
);

const values = texts('normal', 'normal', 'tied');

/** Models of layers that somebody may bring: many are refused, with a reason. */
export const modelSpecs: fc.Arbitrary<ModelSpec> = fc.record({
  input: fc.oneof(
    { weight: 5, arbitrary: fc.tuple(integers(1, 9), integers(1, 9), integers(1, 4)) },
    { weight: 1, arbitrary: fc.tuple(integers(1, 6), integers(1, 5)) },
    { weight: 1, arbitrary: fc.tuple(integers(1, 9)) },
  ),
  parts: fc.array(part, { minLength: 2, maxLength: 7 }),
  end: fc.record({
    pooling: rarely('none', texts('flatten', 'flatten', 'globalAveragePooling2d', 'globalMaxPooling2d')),
    classes: rarely(1, integers(2, 4)),
    dropout: rarely(true, fc.constant(false)),
    activation: fc.oneof({ weight: 9, arbitrary: texts('linear', 'softmax') }, { weight: 1, arbitrary: activation }),
    place: texts('dense', 'activation', 'layer'),
    behind: fc.oneof(
      { weight: 9, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(layer, { minLength: 1, maxLength: 2 }) },
    ),
  }),
  weights: values,
  images: values,
  seed: integers(1, 1000),
});
