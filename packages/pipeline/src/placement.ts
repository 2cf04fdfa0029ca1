import { LocalgradError, type Span, shown } from '@localgrad/core';

/** Consecutive modules on one worker. */
export interface PlacedGroup {
  /** Name of the worker, unique in the placement. */
  readonly worker: string;
  /** First and last module. */
  readonly range: Span;
}

/** Which worker trains which modules: groups from the image to the classifier, which together contain every module. */
export type Placement = readonly PlacedGroup[];

const form = "groups of modules from first to last, each with an optional name, e.g. '0-3 4-7' or '0-3@a 4-7@b'";

/**
 * Reads a placement such as `0-3@a 4-7@b`. Groups without a name are called `worker0`, `worker1`, ….
 *
 * @param modules number of modules of the network
 * @throws LocalgradError `invalid-option`
 */
export function parsePlacement(text: string, modules: number): Placement {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const placement = words.map((word, index): PlacedGroup => {
    const match = /^(\d+)(?:-(\d+))?(?:@([\w.-]+))?$/.exec(word);
    if (match === null) throw invalid(text, `'${word}' is not a group`, `${form}`);
    const [, first, last = first, worker = `worker${index}`] = match;
    return { worker, range: [Number(first), Number(last)] };
  });
  checkPlacement(placement, modules, text);
  return placement;
}

/** `0-3@a 4-7@b` */
export function formatPlacement(placement: Placement): string {
  return placement.map(({ worker, range }, index) => `${rangeText(range)}${nameText(worker, index)}`).join(' ');
}

/** `4-7`, or `4` for a single module. */
export function rangeText([first, last]: Span): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

/** `modules 4 to 7`, `module 4`: for sentences. */
export function modulesText([first, last]: Span): string {
  return first === last ? `module ${first}` : `modules ${first} to ${last}`;
}

function nameText(worker: string, index: number): string {
  return worker === `worker${index}` ? '' : `@${worker}`;
}

/** @throws LocalgradError `invalid-option` if a module is missing or in two groups, or two workers have one name */
export function checkPlacement(placement: Placement, modules: number, text = formatPlacement(placement)): void {
  if (placement.length === 0) throw invalid(text, 'it has no group', form);
  const names = placement.map(({ worker }) => worker);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw invalid(text, `'${repeated}' has two groups`, 'one group of consecutive modules per worker');
  }
  let next = 0;
  for (const { range } of placement) {
    const [first, last] = range;
    if (first > last) throw invalid(text, `group ${first}-${last} ends before it starts`, form);
    if (first !== next) {
      const problem =
        first > next
          ? `module ${next} is in no group`
          : `module ${first} is in two groups or its group is out of order`;
      throw invalid(text, problem, `each module from 0 to ${modules - 1} in one group, in order`);
    }
    next = last + 1;
  }
  if (next !== modules) {
    const problem = next < modules ? `module ${next} is in no group` : `there is no module ${modules}`;
    throw invalid(text, problem, `each module from 0 to ${modules - 1} in one group, in order`);
  }
}

function invalid(text: string, problem: string, allowed: string): LocalgradError {
  return new LocalgradError('invalid-option', `placement ${shown(text)}: ${problem}; allowed: ${allowed}.`, {
    where: 'placement',
    option: 'placement',
    value: text,
    allowed,
  });
}
