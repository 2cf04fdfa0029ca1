import { LocalgradError, requireOption } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { type Crossing, crossingsOf } from '../crossings.js';
import { balancedPlacement, checkDivisible } from '../divide.js';
import { type PipelineOptions, placementOf } from '../pipeline.js';
import { formatPlacement, type Placement } from '../placement.js';

/**
 * The groups of modules of asynchronous workers. A number of workers is divided by predicted work: results depend on the cuts, which
 * must not follow from measurements of a machine.
 *
 * @throws LocalgradError `invalid-option` for a placement with cuts that something else than activations and targets crosses, and
 *   for plans with hooks
 */
export function asynchronousPlacement(compiled: CompiledPlan, requested: PipelineOptions['placement']): Placement {
  if (typeof requested === 'number') checkWorkers(compiled, requested);
  const placement =
    typeof requested === 'number' ? balancedPlacement(compiled, requested) : placementOf(requested, compiled);
  checkFreeCuts(compiled, placement);
  checkDivisible(compiled, placement);
  return placement;
}

/** Checks that there are enough free cuts. @throws LocalgradError `invalid-option` about the number of workers */
function checkWorkers(compiled: CompiledPlan, workers: number): void {
  const tied = crossingsOf(compiled).filter(({ isFree }) => !isFree);
  const [first] = tied;
  const most = compiled.network.modules.length - tied.length;
  if (first === undefined) return;
  const allowed = `${most === 1 ? '1' : `1 to ${most}`}, because ${reasonOf(first)} the cut before module ${first.cut}, and asynchronous workers do not wait for each other`;
  requireOption(workers <= most, 'pipeline', 'workers', workers, allowed);
}

/**
 * Checks that workers can train without waiting for each other: nothing but activations and targets crosses the cuts between them.
 *
 * @throws LocalgradError `invalid-option` that names what else crosses, and the cuts that are possible
 */
function checkFreeCuts(compiled: CompiledPlan, placement: Placement): void {
  const starts = new Set(placement.slice(1).map(({ range }) => range[0]));
  const crossings = crossingsOf(compiled);
  const tied = crossings.find(({ cut, isFree }) => starts.has(cut) && !isFree);
  if (tied === undefined) return;
  const free = crossings.filter(({ isFree }) => isFree).map(({ cut }) => `module ${cut}`);
  const allowed = free.length === 0 ? 'one worker' : `cuts before ${free.join(', ')}`;
  throw new LocalgradError(
    'invalid-option',
    `placement '${formatPlacement(placement)}': asynchronous workers do not wait for each other, but ${reasonOf(tied)} the cut ` +
      `before module ${tied.cut}; allowed: ${allowed}.`,
    { where: 'placement', option: 'placement', cut: tied.cut, allowed },
  );
}

function reasonOf({ gradients: [loss], followed: [weight], shared: [name] }: Crossing): string {
  if (loss !== undefined) return `a gradient of loss '${loss}' crosses`;
  if (name !== undefined) return `'${name}' is used on both sides of`;
  return `head '${weight?.head}' follows '${weight?.live}' across`;
}
