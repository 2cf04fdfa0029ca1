import { selectBackend } from '@localgrad/backends';
import { LocalgradError, type Shape3 } from '@localgrad/core';
import { describePlan, type PlanDescription } from '@localgrad/engine';
import { formatBytes } from '@localgrad/train';
import type { Command } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../config/flags.js';
import type { Presenter } from '../present.js';
import { buildPlan, type PlanConfig } from '../run.js';
import { textTable } from '../text-table.js';

export interface ExplainOptions extends PlanConfig {
  readonly batch: number;
  /** Height, width, channels. */
  readonly image: Shape3;
  readonly classes: number;
}

export interface Explanation extends PlanDescription {
  readonly backbone: string;
  readonly batch: number;
  readonly image: Shape3;
  readonly totals: PlanDescription['totals'] & {
    /** The same backbone end to end: units of work, and predicted peak bytes. */
    readonly relativeToBackprop: { readonly work: number; readonly memory: number };
  };
}

/** What a plan will do and cost, before a step is run. */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  // Weights have to live somewhere; nothing is computed.
  const backend = await selectBackend('cpu');
  try {
    const describe = (config: PlanConfig) => {
      const plan = buildPlan(config, options.image, options.classes);
      const description = describePlan(plan.compiled, options.batch);
      plan.dispose();
      return description;
    };
    const own = describe(options);
    const reference = describe({ ...options, method: 'backprop', memory: 'residuals' });
    return {
      backbone: options.backbone,
      batch: options.batch,
      image: options.image,
      ...own,
      totals: {
        ...own.totals,
        relativeToBackprop: {
          work: own.totals.unitsOfWork / reference.totals.unitsOfWork,
          memory: own.totals.predictedPeakBytes / reference.totals.predictedPeakBytes,
        },
      },
    };
  } finally {
    backend.dispose();
  }
}

const count = (value: number) => value.toLocaleString('en-US');

export function renderExplain({ method, backbone, batch, image, modules, objectives, totals }: Explanation): string {
  const { relativeToBackprop: relative } = totals;
  return [
    `${method} on ${backbone}, images ${image.join('×')}, batch ${batch}`,
    '',
    'Modules: gradients stay inside, unless an objective spans several.',
    textTable(
      ['module', 'blocks', 'weights', 'units of work', 'predicted peak'],
      modules.map((module) => [
        `${module.index} ${module.name}`,
        shortened(module.blocks),
        count(module.parameters),
        module.unitsOfWork.toFixed(0),
        formatBytes(module.predictedBytes),
      ]),
      ['left', 'left', 'right', 'right', 'right'],
    ),
    '',
    'Objectives: each reads the output of the last module of its span and trains the whole span.',
    textTable(
      ['objective', 'role', 'trains modules', 'head', 'weight', 'weights of head', 'weight tensors reached'],
      objectives.map((objective) => [
        objective.id,
        objective.role,
        objective.span[0] === objective.span[1]
          ? String(objective.span[0])
          : `${objective.span[0]} to ${objective.span[1]}`,
        objective.head,
        String(objective.weight),
        count(objective.parameters),
        String(objective.reaches.length),
      ]),
      ['left', 'left', 'left', 'left', 'right', 'right', 'right'],
    ),
    '',
    `Weights           ${count(totals.parameters)}, auxiliary networks included`,
    `Work per step     ${totals.unitsOfWork.toFixed(2)} forwards of the backbone, ${relative.work.toFixed(2)} × end-to-end`,
    `Predicted peak    ${formatBytes(totals.predictedPeakBytes)} with batch ${batch}, ${relative.memory.toFixed(2)} × end-to-end`,
    '',
    'A unit of work is one forward of the module: 1 forward, 1 for a gradient sent further down, 2 for the weight gradients.',
  ].join('\n');
}

function shortened(blocks: readonly string[]): string {
  const [first = '', ...others] = blocks;
  if (blocks.length <= 2) return blocks.join(', ');
  return `${first} … ${others.at(-1)} (${blocks.length})`;
}

/** `32x32x3` @throws LocalgradError `invalid-option` */
export function parseShape(text: string): Shape3 {
  const shape = text.split(/[x×]/).map(Number);
  if (shape.length !== 3 || !shape.every((extent) => Number.isInteger(extent) && extent >= 1)) {
    throw new LocalgradError(
      'invalid-option',
      `--image: '${text}' is no shape; allowed: height x width x channels, e.g. 32x32x3.`,
    );
  }
  return shape as unknown as Shape3;
}

export function registerExplain(program: Command, present: Presenter): void {
  const command = program
    .command('explain')
    .summary('print what a method will do to a network, and what it will cost')
    .description('Prints modules, objectives, spans, weights, units of work and predicted peak memory. Trains nothing.')
    .argument('[file]', 'YAML file, as for train')
    .option('--image <shape>', 'height x width x channels', '32x32x3')
    .option('--classes <number>', 'number of classes', '10');
  addConfigFlags(command, ['method', 'backbone', 'width', 'modules', 'partition', 'stemModule', 'memory', 'batch'])
    .addHelpText('after', '\nExample:\n  localgrad explain --backbone resnet32 --modules 16 --method dgl')
    .action((file: string | undefined, flags: { image: string; classes: string }) =>
      present(async () => {
        const config = await resolveRunConfig(command, file);
        const classes = Number(flags.classes);
        if (!Number.isInteger(classes) || classes < 2) {
          throw new LocalgradError('invalid-option', `--classes: '${flags.classes}'; allowed: integers ≥ 2.`);
        }
        return explain({ ...config, image: parseShape(flags.image), classes });
      }, renderExplain),
    );
}
