import {
  type Block,
  callOwn,
  formatShape,
  LocalgradError,
  type Network,
  sameShape,
  shown,
  type TrainingPlan,
} from '@localgrad/core';

/**
 * The blocks of each module used in training steps. @throws LocalgradError `invalid-plan` for incompatible replacements
 */
export function rewriteBlocks({ modules }: Network, plan: TrainingPlan): (readonly Block[])[] {
  return modules.map(({ index: module, blocks }) => {
    if (plan.rewriteBlock === undefined) return blocks;
    return blocks.map((block, index) => {
      const what = `Plan of '${plan.method}': rewriteBlock`;
      const replacement = callOwn(what, () => plan.rewriteBlock?.(block, { module, index })) ?? block;
      checkReplacement(plan, block, replacement, module);
      return replacement;
    });
  });
}

function checkReplacement({ method }: TrainingPlan, block: Block, replacement: Block, module: number): void {
  const fail = (problem: string): never => {
    throw new LocalgradError(
      'invalid-plan',
      `Plan of '${method}': rewriteBlock replaces block '${block.name}' of module ${module} with a block ${problem}.`,
      { block: block.name, module },
    );
  };
  if (typeof replacement !== 'object' || replacement === null) fail(`that is ${shown(replacement)}`);
  const missing = [
    ...(['forward', 'vjp', 'replicate'] as const).filter((name) => typeof replacement[name] !== 'function'),
    ...(['parameters', 'statistics', 'inputShape', 'outputShape'] as const).filter(
      (name) => !Array.isArray(replacement[name]),
    ),
  ];
  if (missing.length > 0) {
    fail(
      `without ${missing.join(', ')}. A spread ({ ...block }) copies no methods of a class: name each member, e.g. vjp: (pass, dy, want) => block.vjp(pass, dy, want)`,
    );
  }
  for (const end of ['inputShape', 'outputShape'] as const) {
    if (sameShape(block[end], replacement[end])) continue;
    fail(`of ${end} ${formatShape(replacement[end])} instead of ${formatShape(block[end])}`);
  }
  const names = (one: Block) => [...one.parameters, ...one.statistics].map(({ name }) => name);
  const own = names(block);
  const other = names(replacement).find((name) => !own.includes(name));
  if (other !== undefined)
    fail(`that has an additional parameter '${other}'; only the parameters of '${block.name}' are allowed`);
}
