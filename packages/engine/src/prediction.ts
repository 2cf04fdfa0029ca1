import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';

export interface PeakPrediction {
  /** Bytes at the worst moment: the sum of the three below. */
  readonly peakBytes: number;
  /** Activations, residuals, cotangents, gradients and kernels' temporaries at the worst moment. */
  readonly stepBytes: number;
  /** Weights, statistics and one optimizer slot per weight. */
  readonly residentBytes: number;
  /** Normalised images and labels, and the images in [0, 1] where a loss reads them. */
  readonly batchBytes: number;
  /** Highest `stepBytes` while each module (its forward, heads or VJPs) was at work. */
  readonly modules: readonly number[];
}

type Schedulable = Pick<CompiledPlan, 'network' | 'modules' | 'heads' | 'schedule' | 'parameters' | 'readsImages'>;

/** Runs a schedule on byte counts instead of tensors. */
export function predictPeak(compiled: Schedulable, batchSize: number): PeakPrediction {
  const { network, modules, heads, schedule, parameters } = compiled;
  const highest = new Array<number>(modules.length).fill(0);
  const residuals = new Map<number, number>();
  const outputs = new Map<number, number>();
  const slots = new Map<string, number>();
  const total = (map: ReadonlyMap<unknown, number>) => [...map.values()].reduce((sum, bytes) => sum + bytes, 0);
  const live = () => total(residuals) + total(outputs) + total(slots);
  const note = (module: number, extra: number) => {
    highest[module] = Math.max(highest[module] ?? 0, live() + extra);
  };

  for (const instruction of schedule) {
    const { module } = instruction;
    const block = modules[module] as Block;
    const outputBytes = bytesOf(block.outputShape, batchSize);
    switch (instruction.op) {
      case 'forward': {
        if (instruction.keep) {
          note(module, block.cost.forwardPeakBytes(batchSize));
          const kept = block.cost.residualBytes(batchSize);
          residuals.set(module, kept + (instruction.repeat ? outputBytes : 0));
        } else {
          note(module, passingPeak(network.modules[module]?.blocks ?? [], batchSize));
        }
        if (!instruction.repeat) outputs.set(module, outputBytes);
        break;
      }
      case 'evaluate':
        for (const { head, objectives } of heads.get(module) ?? []) {
          note(module, head.cost.evaluatePeakBytes(batchSize));
          for (const { span } of objectives) slots.set(slotKey(module, span[0]), outputBytes);
        }
        break;
      case 'send':
        // The slot stays for the weight-VJP, so the VJP works on a copy.
        note(
          module,
          outputBytes + block.cost.vjpPeakBytes(batchSize, { input: true, parameters: false, release: false }),
        );
        slots.set(slotKey(module - 1, instruction.from), bytesOf(block.inputShape, batchSize));
        slots.delete(slotKey(module, instruction.from));
        slots.set(slotKey(module, module), outputBytes);
        break;
      case 'finish': {
        const { sendTo } = instruction;
        const own = [...slots.keys()].filter((key) => key.startsWith(`${module}/`));
        // Summing leaves one cotangent.
        for (const key of own.slice(1)) slots.delete(key);
        note(
          module,
          block.cost.vjpPeakBytes(batchSize, { input: sendTo !== undefined, parameters: true, release: true }),
        );
        for (const key of own) slots.delete(key);
        residuals.delete(module);
        if (sendTo !== undefined) slots.set(slotKey(module - 1, sendTo), bytesOf(block.inputShape, batchSize));
        break;
      }
      case 'drop':
        residuals.delete(module);
        break;
      case 'free':
        outputs.delete(module);
        break;
    }
  }

  const stepBytes = Math.max(...highest);
  const residentBytes = [...parameters.values()].reduce(
    (sum, parameter) => sum + 4 * parameter.size * (parameter.kind === 'weight' ? 2 : 1),
    0,
  );
  const batchBytes = (compiled.readsImages ? 2 : 1) * bytesOf(network.imageShape, batchSize) + 4 * batchSize;
  return { peakBytes: stepBytes + residentBytes + batchBytes, stepBytes, residentBytes, batchBytes, modules: highest };
}

function slotKey(module: number, from: number): string {
  return `${module}/${from}`;
}

/** Peak of a forward that keeps nothing: block by block, each input freed when its output is there. */
function passingPeak(blocks: readonly Block[], batchSize: number): number {
  let peak = 0;
  blocks.forEach((block, index) => {
    const shape: Shape3 = block.inputShape;
    const owned = index === 0 ? 0 : bytesOf(shape, batchSize);
    peak = Math.max(peak, owned + block.cost.forwardPeakBytes(batchSize));
  });
  return peak;
}
