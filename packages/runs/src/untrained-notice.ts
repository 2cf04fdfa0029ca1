import { clockAt } from '@localgrad/core';
import { type CompiledPlan, type UntrainedParts, untrainedParts } from '@localgrad/engine';

/** The rule of phases is asked about every step of shorter runs only; it takes about a microsecond. */
const mostSteps = 1_000_000;

/** A warning about the parts of a network that a run does not train; undefined if it trains all of them. */
export function untrainedNotice(compiled: CompiledPlan, epochs: number, batchesPerEpoch: number): string | undefined {
  const { plan } = compiled;
  const ever = untrainedText(untrainedParts(compiled));
  if (ever !== undefined) {
    const what = plan.phases === undefined ? 'no loss' : 'no phase';
    return `Not trained: ${ever}, which ${what} of '${plan.method}' trains. These weights keep their initial values.`;
  }
  const here = untrainedText(untrainedParts(compiled, phasesOf(compiled, epochs, batchesPerEpoch)));
  if (here === undefined) return undefined;
  const steps = (epochs * batchesPerEpoch).toLocaleString('en-US');
  return `Not trained: ${here}, since the phases of '${plan.method}' that train this do not occur in ${steps} steps. These weights keep their initial values.`;
}

/** The phases that occur in a run; all of them where that depends on what happens in it. */
function phasesOf({ plan, phases, phaseAt }: CompiledPlan, epochs: number, batchesPerEpoch: number) {
  const steps = epochs * batchesPerEpoch;
  if (phases.length === 1 || (plan.state ?? []).length > 0 || steps > mostSteps) return phases;
  const found = new Set(Array.from({ length: steps }, (_, step) => phaseAt(clockAt(step, epochs, batchesPerEpoch))));
  return [...found];
}

/** `modules 2, 3 and the classifier`: the parts in words; undefined if there are none. */
function untrainedText({ modules, classifier }: UntrainedParts): string | undefined {
  const parts = [
    ...(modules.length === 0 ? [] : [`${modules.length === 1 ? 'module' : 'modules'} ${modules.join(', ')}`]),
    ...(classifier ? ['the classifier'] : []),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}
