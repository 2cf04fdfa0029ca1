// A third-party decorator: freezes one more module after every few epochs, from the input on. A frozen module costs no
// backward pass and no update; how many are frozen is declared state, which checkpoints keep.
import { formatExpression, LocalgradError, parseExpression, rejectUnknownKeys, requireOption } from '@localgrad/core';

const name = 'acme-localgrad-freezing';

/**
 * @param {{ every?: number }} options epochs between two freezes; default 1
 * @returns {import('@localgrad/core').MethodDecorator}
 */
export default function freezing(options = {}) {
  rejectUnknownKeys(name, options, ['every']);
  const { every = 1 } = options;
  requireOption(Number.isInteger(every) && every > 0, name, 'every', every, 'positive integers');
  return (method) => {
    const full = formatExpression({ name, of: parseExpression(method.name), options });
    return {
      specVersion: 'v1',
      name: full,
      config: { decorator: name, of: method.config, ...options },
      plan: (network) => ({
        ...freezeModules(method.plan(network), network.modules.length, every),
        method: full,
      }),
    };
  };
}

/** The decorator by the name of this package: `acme-localgrad-freezing(dgl, every: 2)`. */
export const decorator = (method, options) => freezing(options)(method);

function freezeModules(plan, modules, every) {
  if (plan.phases !== undefined) {
    throw new LocalgradError('invalid-plan', `${name} cannot wrap '${plan.method}', which has phases of its own.`);
  }
  const phaseName = (count) => `${count} frozen`;
  const phases = Array.from({ length: modules }, (_, count) => ({
    name: phaseName(count),
    frozen: Array.from({ length: count }, (_, module) => module),
    // Losses that would train frozen modules only are left out, with their heads.
    objectives: plan.objectives.filter(({ span }) => span[1] >= count).map(({ id }) => id),
  }));
  const freeze = {
    name,
    afterStep({ clock, state }) {
      const epochs = Math.floor(((clock.step + 1) * clock.epochs) / clock.steps);
      state.set('frozen', Math.min(modules - 1, Math.floor(epochs / every)));
    },
  };
  return {
    ...plan,
    state: [...(plan.state ?? []), { name: 'frozen', initial: 0 }],
    hooks: [...plan.hooks, freeze],
    phases: { phases, phaseAt: (_clock, state) => phaseName(state.get('frozen')) },
  };
}
