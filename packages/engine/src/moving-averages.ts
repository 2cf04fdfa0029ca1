import { at, LocalgradError, type MovingAverage, type Network, type Parameter, sameShape } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { type CompiledHead, headPlace } from './heads.js';

/** A moving average with the averaged parameter. */
export interface HeadAverage extends Omit<MovingAverage, 'live'> {
  /** Key of the head that owns it; the average is updated in steps that evaluate this head. */
  readonly head: string;
  /** The averaged parameter. */
  readonly live: Parameter;
  /** What the average moves toward: `live`, or its value some steps ago. */
  readonly source: Parameter;
}

/**
 * Resolves the averaged parameters by name.
 *
 * @throws LocalgradError `invalid-plan` for unknown parameters, and for `beforeUpdate` averages of weights that may
 *   already be updated when the head is evaluated
 */
export function resolveAverages(
  network: Network,
  heads: readonly CompiledHead[],
  parameters: ReadonlyMap<string, Parameter>,
): HeadAverage[] {
  return heads.flatMap((compiled) =>
    (compiled.head.averages ?? []).map(({ average, live: name, momentum, when }) => {
      const fail = (problem: string): never => {
        throw new LocalgradError(
          'invalid-plan',
          `The ${headPlace(compiled, network)} has a moving average '${average.name}' of '${name}', ${problem}.`,
          { head: compiled.key, average: average.name, live: name },
        );
      };
      const live = parameters.get(name) ?? fail('which is not a parameter of the network or its heads');
      if (!sameShape(live.shape, average.shape)) fail('which has a different shape');
      if (when === 'beforeUpdate' && earlierModules(network, compiled.module).has(live)) {
        fail("which belongs to an earlier module: 'beforeUpdate' needs parameters of the head's own or a later module");
      }
      return { head: compiled.key, average, live, source: live, momentum, when };
    }),
  );
}

function earlierModules({ modules }: Network, module: number): Set<Parameter> {
  return new Set(modules.slice(0, module).flatMap(({ blocks }) => blocks.flatMap((block) => block.parameters)));
}

/** average ← momentum · average + (1 − momentum) · source, as if one after the other in order. */
export function moveAverages(averages: readonly HeadAverage[]): void {
  const waiting = new Map<Parameter, HeadAverage>();
  const flush = () => {
    blend([...waiting.values()]);
    waiting.clear();
  };
  for (const one of averages) {
    const { average, source, momentum } = one;
    if (momentum === 1) continue;
    if (waiting.has(source) || waiting.has(average)) flush();
    waiting.set(average, one);
  }
  flush();
}

/** Averages none of which follows one before it. */
function blend(averages: readonly HeadAverage[]): void {
  const copies = averages.filter(({ momentum }) => momentum === 0);
  const moving = averages.filter(({ momentum }) => momentum !== 0);
  const requests = moving.map(({ average, source, momentum }) => {
    return { average: average.value, value: source.value, kept: momentum, added: 1 - momentum };
  });
  const blended = requests.length === 0 ? [] : currentKernels().blendAll(requests);
  const values = [...copies.map(({ source }) => source.value.clone()), ...blended];
  [...copies, ...moving].forEach(({ average }, index) => {
    average.assign(at(values, index, 'moving average'));
  });
}
