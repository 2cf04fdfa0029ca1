import { LocalgradError } from './errors.js';
import { memberOf as member } from './members.js';
import { shown } from './shown.js';

/**
 * Checks the types of a plan's members: methods may be written in JavaScript. @throws LocalgradError `invalid-plan`
 *
 * @param plan what a method's `plan` returned
 * @param name the method's name, if it is known
 */
export function checkStructure(plan: unknown, name?: string): void {
  const origin = `The plan of ${name === undefined ? 'a method' : `method '${name}'`}`;
  if (plan instanceof Promise) {
    plan.catch(() => {});
    throw failure(origin, 'is a Promise; plan must not be async');
  }
  if (typeof plan !== 'object' || plan === null) {
    throw failure(origin, `is ${shown(plan)}; plan must return an object`);
  }
  const method = member(plan, 'method');
  if (typeof method !== 'string') throw failure(origin, `has the 'method' ${shown(method)}; expected its name`);
  const where = `Plan of '${method}':`;
  for (const name of ['objectives', 'hooks']) {
    const found = member(plan, name);
    if (!Array.isArray(found))
      throw failure(where, `'${name}' is ${shown(found)}; it must be a list, which may be empty for hooks`);
  }
  for (const objective of list(plan, 'objectives')) checkObjective(where, objective);
  for (const hook of list(plan, 'hooks')) {
    if (typeof member(hook, 'afterStep') === 'function') continue;
    throw failure(where, `hook ${shown(member(hook, 'name'))} has no method 'afterStep'`);
  }
  const state = member(plan, 'state');
  if (state !== undefined && !Array.isArray(state))
    throw failure(where, `'state' is ${shown(state)}; it must be a list`);
  for (const one of list(plan, 'state')) {
    const found = member(one, 'name');
    if (typeof found !== 'string') throw failure(where, `a state has the 'name' ${shown(found)}; expected a string`);
  }
  const phases = member(plan, 'phases');
  if (phases === undefined) return;
  if (!Array.isArray(member(phases, 'phases'))) throw failure(where, `'phases' has no list 'phases'`);
  if (typeof member(phases, 'phaseAt') !== 'function') throw failure(where, `'phases' has no method 'phaseAt'`);
  for (const phase of list(phases, 'phases')) checkPhase(where, phase);
}

function checkPhase(where: string, phase: unknown): void {
  const name = member(phase, 'name');
  if (typeof name !== 'string') throw failure(where, `a phase has the 'name' ${shown(name)}; expected a string`);
  for (const [key, content] of [
    ['objectives', 'IDs of objectives'],
    ['frozen', 'indices of modules'],
  ] as const) {
    const found = member(phase, key);
    if (found === undefined || Array.isArray(found)) continue;
    throw failure(where, `phase '${name}' has '${key}' ${shown(found)}; it must be a list of ${content}`);
  }
}

function checkObjective(where: string, objective: unknown): void {
  const id = member(objective, 'id');
  if (typeof id !== 'string') throw failure(where, `an objective has the 'id' ${shown(id)}; expected a string`);
  const of = `objective '${id}'`;
  const span = member(objective, 'span');
  if (!Array.isArray(span)) throw failure(where, `${of} has no span; expected [from, to]`);
  if (span.length !== 2) {
    throw failure(where, `${of} has the span ${shown(span)} of length ${span.length}; expected [from, to]`);
  }
  const weight = member(objective, 'weight');
  if (typeof weight !== 'number' && typeof weight !== 'function') {
    throw failure(where, `${of} has weight ${shown(weight)}; allowed: numbers, or functions of the clock`);
  }
  const head = member(objective, 'head');
  if (typeof member(head, 'key') !== 'string') {
    const given =
      typeof member(head, 'build') === 'function' ? 'the head factory itself as head' : "no head with a 'key'";
    throw failure(
      where,
      `${of} has ${given}; expected { key, factory }: a key, unique in the plan, and a head factory`,
    );
  }
  const factory = member(head, 'factory');
  if (factory !== undefined && typeof member(factory, 'build') !== 'function') {
    throw failure(where, `the head factory of ${of} has no method 'build'`);
  }
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = member(value, name);
  return Array.isArray(found) ? found : [];
}

function failure(where: string, problem: string): LocalgradError {
  return new LocalgradError('invalid-plan', `${where} ${problem}.`);
}
