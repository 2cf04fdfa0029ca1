/** A connection from one worker to another, or to itself where the main program writes. */
export interface Wire {
  /** Index of the worker that sends. */
  readonly from: number;
  /** Index of the worker that receives. */
  readonly to: number;
  /** Capacity of the ring at each end. */
  readonly bytes: number;
}

/** The ends of a worker's wires: their memories, or their indices where they have none yet. */
export interface WireEnds<End> {
  /** From the main program, or the worker of the previous modules. */
  readonly input: End;
  /** To the worker of the next modules; absent on the last one. */
  readonly output?: End;
  /** Absent if nothing crosses but activations and targets. */
  readonly links?: LinkEnds<End>;
}

/** Ends of wires for gradients and weights. */
export interface LinkEnds<End> {
  readonly gradientInput?: End;
  readonly gradientOutput?: End;
  readonly weightInputs: readonly WeightEnd<End>[];
  readonly weightOutputs: readonly WeightEnd<End>[];
}

/** End of a wire for weights. */
export interface WeightEnd<End> {
  /** Names of the weights. */
  readonly names: readonly string[];
  readonly end: End;
}

/** Replaces each end, e.g. the index of a wire by its memory. */
export function mapEnds<From, To>({ input, output, links }: WireEnds<From>, map: (end: From) => To): WireEnds<To> {
  return {
    input: map(input),
    ...(output === undefined ? {} : { output: map(output) }),
    ...(links === undefined ? {} : { links: mapLinks(links, map) }),
  };
}

function mapLinks<From, To>(links: LinkEnds<From>, map: (end: From) => To): LinkEnds<To> {
  const { gradientInput, gradientOutput, weightInputs, weightOutputs } = links;
  const mapWeights = (ends: readonly WeightEnd<From>[]) => ends.map(({ names, end }) => ({ names, end: map(end) }));
  return {
    ...(gradientInput === undefined ? {} : { gradientInput: map(gradientInput) }),
    ...(gradientOutput === undefined ? {} : { gradientOutput: map(gradientOutput) }),
    weightInputs: mapWeights(weightInputs),
    weightOutputs: mapWeights(weightOutputs),
  };
}
