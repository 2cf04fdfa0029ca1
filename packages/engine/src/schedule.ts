import { at, rejectUnknownKeys, type Span } from '@localgrad/core';

/**
 * `residuals` stores activations for the backward pass; `recompute` stores module outputs only and recomputes
 * activations; a list of module indices recomputes those of these modules.
 */
export type MemoryPolicy =
  | 'residuals'
  | 'recompute'
  | {
      /** Indices of the modules whose activations are recomputed. */
      readonly recompute: readonly number[];
    };

/**
 * An instruction. Cotangents are stored in slots: slot (module, from) contains the gradient with respect to the output
 * of `module` of all losses whose gradients stop at module `from`.
 */
export type Instruction =
  /** Run a module. `keep`: store its pass for VJPs. `repeat`: a recomputation that does not update statistics. */
  | { readonly op: 'forward'; readonly module: number; readonly keep: boolean; readonly repeat: boolean }
  /**
   * Evaluate the heads on a module's output; fills the slots (module, from) of their objectives. `readsInput`: a head
   * also reads the module's input.
   */
  | { readonly op: 'evaluate'; readonly module: number; readonly readsInput: boolean }
  /**
   * Input-VJP of slot (module, from) into slot (module − 1, from). `keep`: the cotangent is kept for the weight-VJP;
   * false for frozen modules, which have none.
   */
  | { readonly op: 'send'; readonly module: number; readonly from: number; readonly keep: boolean }
  /**
   * The last VJP of a module's pass, on the sum of its slots. `weights`: compute the weight gradients; false for frozen
   * modules. `sendTo`: the same call yields the cotangent for slot (module − 1, sendTo), because all slots of the
   * module propagate further together.
   */
  | {
      readonly op: 'finish';
      readonly module: number;
      readonly weights: boolean;
      readonly sendTo?: number;
      /** The call yields the gradient of the input, which heads on module − 1 learn to synthesize. */
      readonly teaches?: boolean;
    }
  /** In a part of a plan: the part after it provides the cotangent for slot (module, from); see `partOf`. */
  | { readonly op: 'receive'; readonly module: number; readonly from: number }
  /** In a part of a plan: the part after it provides the gradient that heads on the module learn to synthesize. */
  | { readonly op: 'teach'; readonly module: number }
  /** Release a module's pass without a VJP; it is recomputed later. */
  | { readonly op: 'drop'; readonly module: number }
  /** Dispose a module's output. */
  | { readonly op: 'free'; readonly module: number };

/** The lowest module that a span trains; undefined if all of its modules are frozen. */
export function trainedStart([from, to]: Span, frozen: ReadonlySet<number>): number | undefined {
  for (let module = from; module <= to; module++) if (!frozen.has(module)) return module;
  return undefined;
}

/** What heads read and learn, besides the outputs of their modules. */
export interface ScheduleOptions {
  /** Modules with a head that reads the module's input. */
  readonly inputReaders?: ReadonlySet<number> | undefined;
  /**
   * Modules with heads that learn to synthesize the gradient of their output. No span contains such a module and the next
   * one, and some span starts at the next one.
   */
  readonly taught?: ReadonlySet<number> | undefined;
  /** The last module that runs. Default: the last one at which a loss is read. */
  readonly end?: number;
}

/**
 * Compiles the minimal-work schedule that computes the exact gradient of any set of spans.
 *
 * Let last(j) be the highest module at which a loss is read whose span covers j. A VJP is linear in its cotangent, so
 * all losses whose gradients stop at the same module are propagated as one sum, which starts when the last of them has
 * been computed: at time last(from). Module j finishes at time last(j) with one weight-VJP on the sum of its
 * cotangents. This does not extend any lifetime: a module that a cotangent passes through stays open at least as long
 * as the module where it stops.
 *
 * Frozen modules have no weight-VJP, and a gradient stops above the frozen modules at the lower end of its span.
 *
 * @param spans spans of the objectives, valid for `modules`
 * @throws LocalgradError `invalid-option` if an option has an unknown name
 */
export function compileSchedule(
  spans: readonly Span[],
  modules: number,
  memory: MemoryPolicy = 'residuals',
  frozen: ReadonlySet<number> = new Set(),
  options: ScheduleOptions = {},
): Instruction[] {
  rejectUnknownKeys('compileSchedule', options, ['inputReaders', 'taught', 'end']);
  const { inputReaders, taught, end = Math.max(...spans.map(([, to]) => to)) } = options;
  const trained = spans.flatMap((span): Span[] => {
    const start = trainedStart(span, frozen);
    return start === undefined ? [] : [[start, span[1]]];
  });
  const last = Array.from({ length: modules }, (_, module) => lastReader(trained, module));
  const isRecomputed = (module: number) =>
    typeof memory === 'string' ? memory === 'recompute' : memory.recompute.includes(module);
  const instructions: Instruction[] = [];

  for (let time = 0; time <= end; time++) {
    const backward = backwardAt(time, trained, last, { frozen, taught });
    const needed = new Set(backward.map((instruction) => instruction.module));
    const isOpen = at(last, time, 'module') >= time;
    const keep = isOpen && (!isRecomputed(time) || needed.has(time));
    instructions.push({ op: 'forward', module: time, keep, repeat: false });
    if (spans.some(([, to]) => to === time)) {
      instructions.push({ op: 'evaluate', module: time, readsInput: inputReaders?.has(time) === true });
    }
    instructions.push(...withRecomputation(backward, time, isRecomputed));
  }
  return withFrees(instructions, modules);
}

/** The highest `to` of the spans that cover a module; −1 if there is none. */
function lastReader(spans: readonly Span[], module: number): number {
  return Math.max(-1, ...spans.filter(([from, to]) => from <= module && module <= to).map(([, to]) => to));
}

type Backward = Extract<Instruction, { op: 'send' | 'finish' }>;

function backwardAt(
  time: number,
  spans: readonly Span[],
  last: readonly number[],
  { frozen, taught }: Pick<ScheduleOptions, 'taught'> & { readonly frozen: ReadonlySet<number> },
): Backward[] {
  const result: Backward[] = [];
  for (let module = time; module >= 0; module--) {
    const slots = startsAt(spans, module);
    const departing = slots.filter((from) => from < module && last[from] === time);
    const finishes = last[module] === time;
    const weights = !frozen.has(module);
    // No cotangent stops at a frozen module: its last input-VJP ends the pass. Elsewhere all slots must propagate
    // together.
    const together = finishes && (!weights || slots.length === 1) ? departing.at(-1) : undefined;
    for (const from of departing) if (from !== together) result.push({ op: 'send', module, from, keep: weights });
    if (together !== undefined) result.push({ op: 'finish', module, weights, sendTo: together });
    else if (finishes) {
      const teaches = taught?.has(module - 1) === true;
      result.push({ op: 'finish', module, weights, ...(teaches ? { teaches } : {}) });
    }
  }
  return result;
}

/** The modules at which the gradients that reach or pass through a module stop. */
function startsAt(spans: readonly Span[], module: number): number[] {
  const starts = spans.filter(([from, to]) => from <= module && module <= to).map(([from]) => from);
  return [...new Set(starts)].sort((a, b) => a - b);
}

function withRecomputation(
  backward: readonly Backward[],
  time: number,
  isRecomputed: (module: number) => boolean,
): Instruction[] {
  const result: Instruction[] = [];
  let open = time;
  for (const instruction of backward) {
    const { module } = instruction;
    if (module !== open && isRecomputed(module)) result.push({ op: 'forward', module, keep: true, repeat: true });
    open = module;
    result.push(instruction);
    const isLast = backward.findLast((other) => other.module === module) === instruction;
    if (isLast && instruction.op === 'send' && isRecomputed(module)) result.push({ op: 'drop', module });
  }
  return result;
}

/** Inserts a `free` for each module output directly after its last use. */
function withFrees(instructions: readonly Instruction[], modules: number): Instruction[] {
  const lastUse = new Array<number>(modules).fill(-1);
  const isRepeated = new Array<boolean>(modules).fill(false);
  instructions.forEach((instruction, position) => {
    const { op, module } = instruction;
    const uses = (output: number) => {
      if (output >= 0) lastUse[output] = position;
    };
    if (op === 'forward') {
      // What it creates itself is read later: by the next module, or by the heads of the last one.
      if (instruction.repeat) isRepeated[module] = true;
      uses(module - 1);
    } else if (op === 'evaluate') {
      uses(module);
      if (instruction.readsInput) uses(module - 1);
    } else {
      uses(module - 1);
      // A repeated pass creates its own output.
      if (!isRepeated[module]) uses(module);
    }
  });
  return instructions.flatMap((instruction, position) => {
    const frees = lastUse.flatMap((use, module) => (use === position ? [{ op: 'free', module } as const] : []));
    return [instruction, ...frees];
  });
}
