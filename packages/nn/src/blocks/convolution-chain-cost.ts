import { at, type BlockCost, bytesOf, type Shape3, type Want } from '@localgrad/core';
import { vjpPeaks } from '../cost/vjp-peaks.js';
import { vectorPairBytes } from './batch-norm-parameters.js';
import {
  type ChainStructure,
  type ConvolutionUnit,
  isTrained,
  unitMultiplyAccumulates,
  unitOutputBytes,
} from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { gridBytes } from './pixel-grids.js';
import { savesMap } from './saved-maps.js';
import { isOrdinary, keepsShape } from './unit-convolution.js';

/**
 * Computes a chain's cost by replaying its forward pass and VJP on a ledger, for kernels that reuse consumed buffers.
 */
export function chainCost(structure: ChainStructure): BlockCost {
  const { units, shortcut, recompute } = structure;
  const projection = typeof shortcut === 'string' ? undefined : shortcut;
  const all = projection === undefined ? units : [...units, projection];
  const statistics = (unit: ConvolutionUnit) => vectorPairBytes(unit.norm.channels);
  return {
    multiplyAccumulates: all.reduce((sum, unit) => sum + unitMultiplyAccumulates(unit), 0),
    residualBytes: (batchSize) =>
      all.reduce((sum, unit) => sum + statistics(unit), 0) +
      [...units, ...(projection === undefined || recompute ? [] : [projection])].reduce(
        (sum, unit) => sum + unitOutputBytes(unit, batchSize),
        0,
      ) +
      (recompute ? 0 : units.slice(0, -1).reduce((sum, unit) => sum + unitOutputBytes(unit, batchSize), 0)),
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      const keep = (unit: ConvolutionUnit) => ledger.take(unitOutputBytes(unit, batchSize) + statistics(unit));
      units.forEach((unit, index) => {
        touchGrids(ledger, unit, [unit.inputShape, unit.outputShape], batchSize);
        keep(unit);
        const below = units[index - 1];
        if (recompute && below !== undefined) ledger.give(unitOutputBytes(below, batchSize));
        if (index < units.length - 1) ledger.take(unitOutputBytes(unit, batchSize));
      });
      if (projection !== undefined) {
        keep(projection);
        ledger.take(unitOutputBytes(projection, batchSize));
        if (recompute) ledger.give(unitOutputBytes(projection, batchSize));
      }
      ledger.take(unitOutputBytes(at(units, units.length - 1, 'unit'), batchSize));
      return ledger.peak;
    },
    ...vjpPeaks((batchSize, want, isShared) => chainVjpPeak(structure, batchSize, want, { isShared })),
  };
}

/** Whether the backward pass needs the cotangent of what is added before the last activation. */
export function wantsMasked({ shortcut }: Pick<ChainStructure, 'shortcut'>, want: Want): boolean {
  return shortcut === 'identity' ? want.input : shortcut !== 'none';
}

/** The cotangent that a chain's VJP receives, if it is not that of the output in a buffer of its own. */
interface ReceivedCotangent {
  /** Shape of one sample of the means whose cotangent arrives instead of that of the output; only without `wantsMasked`. */
  readonly means?: Shape3;
  /** Whether its buffer is shared with a tensor that remains. */
  readonly isShared?: boolean;
}

/** Peak bytes of a chain's VJP beyond those already allocated when it starts. */
export function chainVjpPeak(
  structure: ChainStructure,
  batchSize: number,
  want: Want,
  { means, isShared = false }: ReceivedCotangent = {},
): number {
  const { units, shortcut, recompute, relu, recomputeOutput = false } = structure;
  const projection = typeof shortcut === 'string' ? undefined : shortcut;
  const ledger = new Ledger();
  const bytes = (unit: ConvolutionUnit) => unitOutputBytes(unit, batchSize);
  const inputBytes = bytesOf(at(units, 0, 'unit').inputShape, batchSize);
  const throughNorm = (unit: ConvolutionUnit, wantMasked: boolean, ownsInput = want.release, ownsMap = true) => {
    const vectors = vectorPairBytes(unit.norm.channels);
    ledger.take(vectors);
    // dx and the masked cotangent reuse the buffers of dy and x if these are released; means are too small.
    const buffers = (ownsInput ? 1 : 0) + (ownsMap ? 1 : 0) - (wantMasked ? 2 : 1);
    if (buffers > 0) ledger.give(bytes(unit) * buffers);
    else ledger.take(-bytes(unit) * buffers);
    if (!want.parameters || !isTrained(unit.norm.scale)) ledger.give(vectors);
    if (want.release) ledger.give(vectors);
  };
  const filterGradient = (unit: ConvolutionUnit) => {
    if (!want.parameters || !isTrained(unit.weight)) return;
    touchGrids(ledger, unit, [unit.inputShape, unit.outputShape], batchSize, 4 * unit.weight.size);
    ledger.take(4 * unit.weight.size);
  };

  const inputGradient = (unit: ConvolutionUnit) => {
    touchGrids(ledger, unit, [unit.outputShape, unit.inputShape], batchSize);
    // Over the cotangent of the output.
    if (writesInPlace(unit)) ledger.give(bytes(unit));
    ledger.take(bytesOf(unit.inputShape, batchSize));
  };

  const last = units.length - 1;
  const wantMasked = wantsMasked(structure, want);
  const throughLast = () => {
    throughNorm(at(units, last, 'unit'), wantMasked, want.release, means === undefined && !isShared);
    if (means !== undefined) ledger.give(bytesOf(means, batchSize));
  };
  const remakesProjection = projection !== undefined && recompute;
  if (relu && recomputeOutput && shortcut !== 'none') {
    const outputBytes = bytes(at(units, last, 'unit'));
    if (remakesProjection) ledger.take(bytes(projection));
    if (projection !== undefined) ledger.take(outputBytes);
    ledger.take(outputBytes);
    if (projection !== undefined) ledger.give(outputBytes);
    throughLast();
    ledger.give(outputBytes);
  } else {
    throughLast();
    if (remakesProjection) ledger.take(bytes(projection));
  }
  if (projection !== undefined) {
    throughNorm(projection, false, want.release || recompute);
    filterGradient(projection);
    if (want.input) ledger.take(inputBytes);
    ledger.give(bytes(projection));
  }
  for (let index = last; index > 0; index--) {
    const unit = at(units, index, 'unit');
    const below = at(units, index - 1, 'unit');
    if (want.parameters && isTrained(unit.weight)) {
      // Kernels activate a few images at a time, if they activate and convolve in one operation.
      const isPiecewise = isOrdinary(unit) && savesMap('conv2dActivatedFilterGradient');
      const activation = recompute && !isPiecewise ? bytes(below) : 0;
      ledger.take(activation);
      filterGradient(unit);
      ledger.give(activation);
    }
    inputGradient(unit);
    if (!writesInPlace(unit)) ledger.give(bytes(unit));
    throughNorm(below, false);
    if (want.release && !recompute) ledger.give(bytes(below));
  }
  const first = at(units, 0, 'unit');
  filterGradient(first);
  if (want.input) inputGradient(first);
  return ledger.peak;
}

/**
 * Temporary bytes of a dilated convolution, which runs on grids of the map: two copies of the first operand while its grids are
 * made, the grids of both, and two copies of the second while its map is made.
 *
 * @param also bytes that exist together with the grids of both
 */
function touchGrids(
  ledger: Ledger,
  { dilation }: ConvolutionUnit,
  shapes: readonly [first: Shape3, second: Shape3],
  batchSize: number,
  also = 0,
): void {
  if (dilation === 1) return;
  const [first, second] = shapes.map((shape) => gridBytes(shape, dilation, batchSize)) as [number, number];
  ledger.touch(Math.max(2 * first, first + second + Math.max(also, also > 0 ? second : 0), 2 * second));
}

function writesInPlace(unit: ConvolutionUnit): boolean {
  return keepsShape(unit) && savesMap('conv2dInputGradientInPlace');
}
