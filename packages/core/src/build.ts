import type { Backbone, BackboneFactory, BackboneOptions } from './backbone.js';
import { formatReference } from './backbone.js';
import { callOwn } from './caught.js';
import { requireSynchronous } from './checked.js';
import { type ErrorCode, LocalgradError } from './errors.js';
import type { Head, HeadContext, HeadFactory } from './head.js';
import { faultOfMembers, type MemberType } from './members.js';
import type { LocalLearningMethod } from './method.js';
import { checkChain, type Network } from './network.js';
import type { ParameterScope } from './parameter.js';
import type { TrainingPlan } from './plan.js';
import { checkStructure } from './plan-structure.js';
import { formatShape, sameShape } from './shapes.js';

const backboneMembers = {
  name: 'string',
  config: 'object',
  inputShape: 'list',
  classes: 'number',
  blocks: 'list',
  classifier: 'object',
} as const;

const blockMembers = {
  name: 'string',
  inputShape: 'list',
  outputShape: 'list',
  parameters: 'list',
  statistics: 'list',
  forward: 'function',
  vjp: 'function',
  replicate: 'function',
} as const;

const headMembers = {
  name: 'string',
  inputShape: 'list',
  parameters: 'list',
  statistics: 'list',
  evaluate: 'function',
} as const;

/**
 * Builds a backbone and checks it, since factories may be written in JavaScript.
 *
 * @throws LocalgradError `misuse` unless the factory returned a backbone for the images and classes; `shape-mismatch`; what the
 *   factory throws
 */
export function buildBackbone(factory: BackboneFactory, options: BackboneOptions): Backbone {
  const where = `Backbone '${factory.name}': build`;
  const built = callOwn(where, () => factory.build(options));
  requireSynchronous(built, where, returnIt('backbone'));
  requireMembers(`Backbone '${factory.name}': the result of build`, built, backboneMembers);
  for (const [index, member] of built.blocks.entries()) {
    const at = `${where} returned a backbone whose block ${index}`;
    requireMembers(at, member, { reference: 'list', block: 'object' });
    requireMembers(`${at} ${formatReference(member.reference)}`, member.block, blockMembers);
  }
  requireMembers(`${where} returned a backbone whose classifier`, built.classifier, headMembers);
  const fail = (problem: string, details: Record<string, unknown>, code: ErrorCode = 'misuse'): never => {
    throw new LocalgradError(code, `${where} returned a backbone for ${problem}.`, {
      backbone: factory.name,
      ...details,
    });
  };
  if (!sameShape(built.inputShape, options.inputShape)) {
    const [found, expected] = [formatShape(built.inputShape), formatShape(options.inputShape)];
    fail(
      `images of shape ${found}, but was asked for ${expected}; use the 'inputShape' that it receives`,
      { expected: options.inputShape, found: built.inputShape },
      'shape-mismatch',
    );
  }
  if (!Number.isInteger(built.classes) || built.classes < options.classes) {
    fail(`${built.classes} classes, but was asked for ${options.classes}; use the 'classes' that it receives`, {
      expected: options.classes,
      found: built.classes,
    });
  }
  checkChain(built);
  return built;
}

/**
 * Builds a head. `compilePlan` checks its members.
 *
 * @param where the factory, for messages. Default: its name
 * @throws LocalgradError `invalid-plan`; what the factory throws
 */
export function buildHead(
  factory: HeadFactory,
  context: HeadContext,
  scope: ParameterScope,
  where = `The head factory '${factory.name}' on module ${context.module}`,
): Head {
  const head = callOwn(where, () => factory.build(context, scope));
  requireSynchronous(head, where, returnIt('head'));
  const fault = faultOfMembers(head, {});
  if (fault === undefined) return head;
  throw new LocalgradError('invalid-plan', `${where} built no head: it ${fault}.`, { module: context.module });
}

/**
 * The plan of a method for a network, with members of the right types.
 *
 * @throws LocalgradError `invalid-plan`; what the method throws
 */
export function planOf(method: LocalLearningMethod, network: Network): TrainingPlan {
  const plan: TrainingPlan = callOwn(`Method '${method.name}': plan`, () => method.plan(network));
  checkStructure(plan, method.name);
  return plan;
}

/** The cure for a factory that returns a Promise. */
export function returnIt(thing: string): string {
  return `Return the ${thing} itself, and await what it needs where the module is loaded.`;
}

function requireMembers(what: string, value: unknown, members: Readonly<Record<string, MemberType>>): void {
  const fault = faultOfMembers(value, members);
  if (fault !== undefined) throw new LocalgradError('misuse', `${what} ${fault}.`, { what });
}
