import { type BlockReference, formatReference, outputGradientTarget } from '@localgrad/core';
import type { ModuleDescription, ObjectiveDescription } from '@localgrad/engine';
import type { Explanation, Relation } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import { textTable } from '../text/text-table.js';
import { weightText } from './labels.js';
import { pipelineLines } from './pipeline-text.js';

const count = (value: number) => value.toLocaleString('en-US');

/** The explanation as text: tables of modules, losses, chains and costs. */
export function explanationText(explanation: Explanation): string {
  const { expression, backbone, batch, image, modules } = explanation;
  return [
    `${expression} on ${backbone}, images ${image.join('×')}, batch ${batch}, ${modules.length} modules`,
    '',
    'Modules: gradients stay inside, unless a loss spans several modules.',
    moduleTable(modules),
    '',
    'Losses: each reads the output of the last module of its span, and trains its head and the whole span.',
    lossTable(explanation),
    ...termLines(explanation.objectives),
    ...synthesisLines(explanation.objectives),
    ...chainLines(explanation.objectives),
    ...phaseLines(explanation),
    ...untrainedLines(explanation),
    ...ruleLines(explanation),
    ...budgetLines(explanation),
    ...asynchronyLines(explanation),
    ...pipelineLines(explanation),
    '',
    ...delayLines(explanation),
    ...totalLines(explanation),
  ].join('\n');
}

function moduleTable(modules: readonly ModuleDescription[]): string {
  return textTable(
    ['module', 'blocks', 'weights', 'units', 'reference', 'predicted peak'],
    modules.map((module) => [
      String(module.index),
      blockRange(module.references),
      count(module.parameters),
      module.unitsOfWork.toFixed(0),
      module.referenceUnitsOfWork.toFixed(0),
      formatBytes(module.predictedBytes),
    ]),
    ['right', 'left', 'right', 'right', 'right', 'right'],
  );
}

function lossTable({ modules, objectives }: Explanation): string {
  return textTable(
    ['loss', 'role', 'trains modules', 'weight', 'head', 'reaches weights', 'tensors', 'which are'],
    objectives.map((objective) => [
      objective.id,
      objective.role,
      spanText(objective),
      weightText(objective),
      objective.head,
      count(objective.reachedParameters),
      String(objective.reaches.length),
      reachText(modules, objective),
    ]),
    ['left', 'left', 'left', 'right', 'left', 'right', 'right', 'left'],
  );
}

function spanText({ span: [from, to] }: ObjectiveDescription): string {
  return from === to ? String(to) : `${from} to ${to}`;
}

function reachText(modules: readonly ModuleDescription[], { span: [from, to], chain, ...head }: ObjectiveDescription) {
  const blocks = modules.slice(from, to + 1).flatMap(({ references }) => references);
  const copies = chain?.blocks.filter(({ learnable }) => learnable).length ?? 0;
  const parts = [blockRange(blocks)];
  if (copies > 0) parts.push(`${copies} ${copies === 1 ? 'copy' : 'copies'}`);
  if (head.parameters > 0) parts.push('head');
  return parts.join(' + ');
}

/** `(1,0)`, `(1,0) (1,1)`, `(1,0) … (2,3), 9 blocks`; the stem by its name. */
function blockRange(references: readonly BlockReference[]): string {
  const names = references.map((reference) => (reference[0] === 0 ? 'stem' : formatReference(reference)));
  if (names.length <= 2) return names.join(' ');
  return `${names[0]} … ${names.at(-1)}, ${names.length} blocks`;
}

/** What trains modules whose heads predict gradients. */
function synthesisLines(objectives: readonly ObjectiveDescription[]): string[] {
  const ids = objectives.flatMap(({ id, reads }) => (reads.includes(outputGradientTarget) ? [id] : []));
  if (ids.length === 0) return [];
  return [
    '',
    `Synthetic gradients: ${ids.join(', ')}. The head predicts the gradient that trains these modules, and learns from the one that the`,
    'next module computes; the loss is the squared distance between the two.',
  ];
}

/** Losses with the same sum share a row. */
function termLines(objectives: readonly ObjectiveDescription[]): string[] {
  const sums = new Map<string, string[]>();
  for (const { id, terms } of objectives) {
    if (terms === undefined) continue;
    const sum = Object.entries(terms).map(([name, weight]) => `${Number(weight.toPrecision(4))} ${name}`);
    const text = sum.join(' + ');
    sums.set(text, [...(sums.get(text) ?? []), id]);
  }
  if (sums.size === 0) return [];
  const rows = [...sums].map(([sum, ids]) => [sum, ids.join(' ')]);
  return ['', 'Sums: losses of several terms, with their weights.', textTable(['sum', 'loss'], rows, ['left', 'left'])];
}

function chainLines(objectives: readonly ObjectiveDescription[]): string[] {
  const chained = objectives.flatMap(({ id, chain, span }) => (chain === undefined ? [] : [{ id, chain, span }]));
  if (chained.length === 0) return [];
  const momenta = [...new Set(chained.map(({ chain }) => chain.momentum))].filter((momentum) => momentum < 1);
  const table = textTable(
    ['loss', 'after module', 'blocks of the chain', 'averages follow', 'momentum'],
    chained.map(({ id, chain, span }) => {
      const blocks = chain.blocks.map(({ reference, learnable, averaged }) => {
        const marks = [...(learnable ? [''] : []), ...(averaged ? ['*'] : [])];
        return marks.map((mark) => `${formatReference(reference)}${mark}`).join('+');
      });
      const followed = chain.blocks.filter(({ averaged }) => averaged).map(({ live }) => live);
      const isMoving = chain.momentum < 1;
      return [
        id,
        String(span[1]),
        blocks.join(' → '),
        isMoving ? followed.join(' ') : 'nothing',
        isMoving ? String(chain.momentum) : 'never move',
      ];
    }),
    ['left', 'right', 'left', 'left', 'right'],
  );
  const stays = 'keeps its initial weights';
  const follows = chained.some(({ chain }) => chain.momentum === 1)
    ? `follows the live block, or ${stays}`
    : 'follows the live block';
  const averages = momenta.length === 0 ? stays : follows;
  return [
    '',
    'Chains: copies of later blocks between the output of the module and the head.',
    table,
    `* marks an averaged copy: it ${averages}. The other copies are trained by the loss; + adds both outputs.`,
  ];
}

function phaseLines({ phases = [], objectives }: Explanation): string[] {
  if (phases.length === 0) return [];
  const table = textTable(
    ['phase', 'active losses', 'frozen modules', 'units of work', 'predicted peak'],
    phases.map((phase) => [
      phase.name,
      phase.objectives.length === objectives.length ? 'all' : phase.objectives.join(' '),
      phase.frozen.length === 0 ? 'none' : phase.frozen.join(' '),
      phase.unitsOfWork.toFixed(2),
      formatBytes(phase.predictedPeakBytes),
    ]),
    ['left', 'left', 'left', 'right', 'right'],
  );
  return [
    '',
    'Phases: parts of training in which only some losses are active, or some modules are frozen. Units and peaks above and',
    'below are the highest of all phases.',
    table,
  ];
}

function untrainedLines({ untrained, phases }: Explanation): string[] {
  if (untrained === undefined) return [];
  const { modules, classifier } = untrained;
  const parts = [...modules.map((index) => `module ${index}`), ...(classifier ? ['the classifier'] : [])];
  return ['', `Trained by no ${phases === undefined ? 'loss' : 'phase'}: ${parts.join(', ')}.`];
}

function ruleLines({ rules = [] }: Explanation): string[] {
  if (rules.length === 0) return [];
  const table = textTable(
    ['rule of the optimizer', 'applies to weights', 'tensors'],
    rules.map(({ match, parameters, tensors }) => [match, count(parameters), String(tensors)]),
    ['left', 'right', 'right'],
  );
  const unused = rules.filter(({ tensors }) => tensors === 0).map(({ match }) => match);
  return ['', table, ...(unused.length === 0 ? [] : [`No weight has a name that matches ${unused.join(', ')}.`])];
}

function budgetLines({ budget, expression }: Explanation): string[] {
  if (budget === undefined) return [];
  const { endToEnd, isEndToEnd } = budget;
  const other = endToEnd === null ? 'no plan fits.' : endToEnd.reason;
  return [
    '',
    `Within the memory budget, ${expression}: ${budget.reason}`,
    ...(isEndToEnd ? [] : [`End to end: ${other}`]),
  ];
}

function asynchronyLines({ asynchrony }: Explanation): string[] {
  if (asynchrony === undefined) return [];
  const { buffers, bytes, timing } = asynchrony;
  if (timing === undefined) return bufferLines(asynchrony);
  const table = textTable(
    ['module', 'updates per batch', 'age of its batches', 'repeated', 'batches stored', 'with targets', 'bytes'],
    timing.map(({ module, updatesPerBatch, meanAge, repeated }) => {
      const buffer = buffers.find((one) => one.module === module);
      return [
        String(module),
        updatesPerBatch.toFixed(2),
        meanAge.toFixed(1),
        `${(100 * repeated).toFixed(0)} %`,
        String(buffer?.slots ?? 0),
        buffer?.targets.join(' ') ?? '',
        formatBytes(buffer?.bytes ?? 0),
      ];
    }),
    ['right', 'right', 'right', 'right', 'right', 'left', 'right'],
  );
  return [
    '',
    'Replay buffers: each module but the last stores outputs, from which the next one reads at its own pace. Ages in batches; simulated.',
    table,
    `The buffers need at most ${formatBytes(bytes)}, which is part of the peak below.`,
  ];
}

/** Buffers between workers, whose pace is not predicted. */
function bufferLines({ buffers, bytes }: NonNullable<Explanation['asynchrony']>): string[] {
  return [
    '',
    'Replay buffers: each worker but the last stores outputs, from which the next one reads at its own pace.',
    textTable(
      ['after module', 'batches stored', 'with targets', 'bytes'],
      buffers.map((one) => [String(one.module), String(one.slots), one.targets.join(' '), formatBytes(one.bytes)]),
      ['right', 'right', 'left', 'right'],
    ),
    `The buffers need ${formatBytes(bytes)} of memory that the workers share, beside their peaks.`,
  ];
}

/** Which gradients are late, and the memory for what they need of earlier steps. */
function delayLines({ gradientDelay }: Explanation): string[] {
  if (gradientDelay === undefined) return [];
  const { steps, cuts, keptBytes } = gradientDelay;
  return [
    '',
    `Gradients are ${steps} ${steps === 1 ? 'step' : 'steps'} late where they cross the ${cuts.length === 1 ? 'cut before module' : 'cuts before modules'} ${cuts.join(', ')}. Batches, weights and`,
    `gradients of earlier steps need ${formatBytes(keptBytes)}, which is part of the peak below.`,
  ];
}

function totalLines({ batch, memory, totals }: Explanation): string[] {
  const { reference, relativeToBackprop, relativeToReference } = totals;
  const shares = ({ work, memory: bytes }: Relation) => [`${work.toFixed(2)} ×`, `${bytes.toFixed(2)} ×`];
  const table = textTable(
    ['a step with all heads', 'units of work', 'predicted peak', 'work of this plan', 'peak of this plan'],
    [
      ['this plan', totals.unitsOfWork.toFixed(2), formatBytes(totals.predictedPeakBytes), '', ''],
      [
        'end to end',
        (totals.unitsOfWork / relativeToBackprop.work).toFixed(2),
        formatBytes(totals.predictedPeakBytes / relativeToBackprop.memory),
        ...shares(relativeToBackprop),
      ],
      [
        'reference procedure',
        reference.unitsOfWork.toFixed(2),
        formatBytes(reference.predictedPeakBytes),
        ...shares(relativeToReference),
      ],
    ],
    ['left', 'right', 'right', 'right', 'right'],
  );
  return [
    table,
    '',
    `${count(totals.parameters)} weights, auxiliary networks included; batch ${batch}; memory policy ${memory}.`,
    'The unit of a module is one forward pass of it: 1 for the forward pass, 1 for a gradient sent further down, 2 for the',
    'gradients of its weights. The unit of a step is one forward pass of the backbone. The reference procedure is that of',
    'published code: it runs a module forward and backward (3 units) for its own loss and again for every window that contains',
    'it, each time with separate residuals, and keeps all paths that end at a module in memory at once.',
  ];
}
