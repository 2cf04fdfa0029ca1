import { type Head, LocalgradError, type Network, outputGradientTarget, type TrainingPlan } from '@localgrad/core';
import { headPlace, readsModuleInput, synthesizes, targetsOf } from './heads.js';
import type { ActiveHead, ActiveObjective } from './phases.js';

/** What is wrong with how a head declares that it synthesizes gradients; undefined if nothing is. */
export function synthesisFault(head: Head): string | undefined {
  const learns = targetsOf(head).includes(outputGradientTarget);
  if (!synthesizes(head)) {
    if (!learns) return undefined;
    return `reads the target '${outputGradientTarget}', which only heads with a method 'synthesize' receive. Heads that wrap others cannot wrap one that synthesizes gradients.`;
  }
  if (typeof head.synthesize !== 'function') return "has a 'synthesize' that is not a method.";
  if (!learns)
    return `has a method 'synthesize', but does not read the target '${outputGradientTarget}', to learn from.`;
  if (readsModuleInput(head)) return "has a method 'synthesize', and reads the module's input; it may not do both.";
  return undefined;
}

interface TaughtPhase {
  readonly name: string;
  readonly objectives: readonly ActiveObjective[];
  readonly heads: ReadonlyMap<number, readonly ActiveHead[]>;
}

/**
 * The modules with heads that learn, in a phase, to synthesize the gradient of the module's output. The gradient is that of
 * all losses that train the next module, so none of them may train both.
 *
 * @throws LocalgradError `invalid-plan` where no loss trains the next module, or where one trains both
 */
export function taughtModules(phase: TaughtPhase, plan: TrainingPlan, network: Network): ReadonlySet<number> {
  const taught = new Set<number>();
  for (const [module, group] of phase.heads) {
    const active = group.find(({ head }) => synthesizes(head));
    if (active === undefined) continue;
    const fail = (problem: string, loss?: string): never => {
      throw new LocalgradError(
        'invalid-plan',
        `Plan of '${plan.method}': ${headPlace(active, network)} learns from the gradient that module ${module + 1} computes, ${problem}`,
        { phase: phase.name, head: active.head.name, key: active.key, module, ...(loss === undefined ? {} : { loss }) },
      );
    };
    const next = module + 1;
    if (next >= network.modules.length) {
      fail(`but ${module} is the last module, whose loss is known. Only modules before it can have such a head.`);
    }
    const across = phase.objectives.find(({ span: [from, to] }) => from <= module && next <= to);
    if (across !== undefined) {
      const [from, to] = across.span;
      fail(
        `but loss '${across.id}' sends its gradient from module ${to} down to ${from}, past this head. Use losses that end at either side of it.`,
        across.id,
      );
    }
    if (!phase.objectives.some(({ start }) => start === next)) {
      fail(`but no loss of phase '${phase.name}' trains that module. Both must be trained in the same phase.`);
    }
    taught.add(module);
  }
  return taught;
}
