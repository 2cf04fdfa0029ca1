/**
 * Sources that are mutated, and the tests beside them that have to notice; fast tests first.
 *
 * @typedef {{ name: string, files: string[], tests: string[] }} Target
 * @type {Target[]}
 */
export const targets = [
  {
    name: 'claim',
    files: in_('packages/runs/src/folder', 'claim', 'claim-files', 'claim-writing', 'heartbeat'),
    tests: in_(
      'packages/runs/src/folder',
      'claim-files.test',
      'claim-writing.test',
      'heartbeat-writes.test',
      'claim-clock.test',
      'full-disk.test',
      'run-state.test',
      'claim-links.test',
      'claim.test',
      'claim-lifetime.test',
    ),
  },
  {
    name: 'checkpoints',
    files: in_('packages/runs/src/checkpoints', 'checkpoint-folder', 'checkpoint-name', 'description'),
    tests: in_('packages/runs/src/checkpoints', 'checkpoint-files.test', 'checkpoint-folder.test'),
  },
  {
    name: 'optimizers',
    files: in_('packages/nn/src/optimizers', 'adam', 'sgd', 'parameter-rules', 'slots', 'create-optimizer'),
    tests: in_('packages/nn/src/optimizers', 'sgd.test', 'optimizers.test'),
  },
  {
    name: 'learning-rate',
    files: in_('packages/nn/src/schedules', 'schedule'),
    tests: in_('packages/nn/src/schedules', 'schedule.test'),
  },
  {
    name: 'mlm',
    files: in_('packages/decorators/mlm/src', 'mlm', 'loss-weight'),
    tests: in_('packages/decorators/mlm/src', 'mlm.test', 'windows.test'),
  },
  {
    name: 'lam',
    files: in_(
      'packages/decorators/lam/src',
      'lam',
      'leap-chain',
      'leap-rule',
      'leap-tables',
      'moving-average',
      'options',
    ),
    tests: in_(
      'packages/decorators/lam/src',
      'leap-rule.test',
      'leap-tables.test',
      'lam-plan.test',
      'lam.test',
      'lean-options.test',
      'next-block.test',
    ),
  },
  {
    name: 'schedule',
    files: in_('packages/engine/src', 'schedule'),
    tests: in_('packages/engine/src', 'schedule.test'),
  },
  {
    name: 'executor',
    files: in_('packages/engine/src', 'executor', 'walk'),
    tests: in_(
      'packages/engine/src',
      'executor.test',
      'walk.test',
      'schedule.test',
      'phases.test',
      'train-step.test',
      'shared-weights.test',
      'mistakes.test',
      'exactness.test',
    ),
  },
];

function in_(folder, ...names) {
  return names.map((name) => `${folder}/${name}.ts`);
}
