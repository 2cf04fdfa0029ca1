import type { Explanation } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import { arrowHead, element, escapeMarkup, line, rectangle, text, textWidth } from '../theme/markup.js';
import { fontFamily, ink, mutedInk, paper } from '../theme/palette.js';
import {
  averageColor,
  drawAverage,
  drawAverageSources,
  drawBar,
  drawLane,
  drawLearnable,
  drawLoss,
  drawRowGrounds,
  roleColors,
} from './lanes.js';
import { fontSize, type Layout, layOut, margin, moduleEdges, titleOf, titleSize } from './layout.js';

/**
 * Draws a plan as SVG: the network at the top, with one line per loss below it. A bar covers the blocks that the loss trains;
 * the copies of its chain are in the columns of the blocks that they copy.
 */
export function explanationSvg(explanation: Explanation): string {
  const provisional = layOut(explanation, 0);
  const legend = drawLegend(explanation, provisional.width - 2 * margin);
  const layout = layOut(explanation, legend.height);
  const { width, height } = layout;
  const { title, description } = wording(explanation);
  const parts = [
    element('title', { id: 'title' }, escapeMarkup(title)),
    element('desc', { id: 'description' }, escapeMarkup(description)),
    rectangle(0, 0, width, height, { fill: paper }),
    ...drawTitle(explanation, title),
    drawRowGrounds(layout, margin),
    drawAverageSources(layout),
    drawNetwork(explanation, layout),
    drawColumnTitles(layout),
    ...layout.rows.flatMap(({ lanes }) => lanes.map((lane) => drawLane(lane, layout))),
    drawStrips(explanation, layout),
    element('g', { transform: `translate(${margin} ${height - margin - legend.height})` }, legend.markup),
  ];
  const frame = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-labelledby': 'title description',
    'font-family': `${fontFamily}, Verdana, Helvetica, Arial, sans-serif`,
    'font-size': fontSize,
  };
  return `${element('svg', frame, ...parts)}\n`;
}

function wording(explanation: Explanation) {
  const { objectives } = explanation;
  const cascaded = objectives.filter(({ span }) => span[1] > span[0]).length;
  const chained = objectives.filter(({ chain }) => chain !== undefined).length;
  return {
    title: titleOf(explanation),
    description:
      `${objectives.length} losses, ${cascaded} of which train several modules and ${chained} of which read a chain of ` +
      'copies of later blocks. Each line shows the blocks that a loss trains, its chain, its head and its weight.',
  };
}

function drawTitle({ totals, batch }: Explanation, title: string): string[] {
  const { relativeToBackprop: backprop, relativeToReference: reference } = totals;
  const ratio = (value: number) => `${value.toFixed(2)} ×`;
  const lines = [
    `Work per step: ${totals.unitsOfWork.toFixed(2)} forwards of the backbone, ${ratio(backprop.work)} end to end, ${ratio(reference.work)} the reference procedure`,
    `Predicted peak: ${formatBytes(totals.predictedPeakBytes)} with batch ${batch}, ${ratio(backprop.memory)} end to end, ${ratio(reference.memory)} the reference procedure`,
  ];
  return [
    text(margin, margin + 12, title, { 'font-size': titleSize, 'font-weight': 'bold', fill: ink }),
    ...lines.map((content, index) => text(margin, margin + 34 + 16 * index, content, { fill: mutedInk })),
  ];
}

function drawNetwork({ modules, classes }: Explanation, layout: Layout): string {
  const { columns, network, classifier, hasUprightNames, left } = layout;
  const middle = (network.blocksTop + network.bottom) / 2 - 2;
  const boxes = modules.map(({ index }) => {
    const edges = moduleEdges(columns, index);
    const x = (edges.left + edges.right) / 2;
    return (
      rectangle(edges.left + 1.5, network.top, edges.right - edges.left - 3, network.bottom - network.top, {
        fill: '#e9eef4',
        stroke: '#8a98a9',
        rx: 4,
      }) + text(x, network.top + 14, String(index), { 'text-anchor': 'middle', 'font-weight': 'bold', fill: ink })
    );
  });
  const blocks = columns.map(({ left: start, right, label }) => {
    const x = (start + right) / 2;
    const upright = hasUprightNames ? { transform: `rotate(-90 ${x} ${middle})` } : {};
    return (
      rectangle(start + 4, network.blocksTop, right - start - 8, network.bottom - network.blocksTop - 5, {
        fill: paper,
        stroke: '#b7c1cd',
        rx: 2,
      }) + text(x, middle + 3.5, label, { 'text-anchor': 'middle', 'font-size': 10, fill: ink, ...upright })
    );
  });
  const name = { 'text-anchor': 'middle', fill: ink, 'font-size': 10 };
  const x = (classifier.left + classifier.right) / 2 + 3;
  const flow = { stroke: mutedInk, 'stroke-width': 1.4 };
  return [
    text(margin + 8, network.top + 14, 'module', { fill: mutedInk }),
    text(margin + 8, middle + 3.5, 'image', { fill: mutedInk }),
    line(margin + 44, middle, left - 4, middle, flow),
    arrowHead(left, middle, 'right', 6, mutedInk),
    ...boxes,
    ...blocks,
    line(classifier.left, middle, classifier.left + 8, middle, flow),
    rectangle(classifier.left + 8, network.top + 4, classifier.right - classifier.left - 10, 38, {
      fill: paper,
      stroke: roleColors.final,
      rx: 4,
    }),
    text(x, network.top + 20, 'classifier', name),
    text(x, network.top + 33, `${classes} classes`, { ...name, fill: mutedInk }),
  ].join('');
}

function drawColumnTitles({ heads, network }: Layout): string {
  const y = network.bottom + 16;
  return (
    text(margin + 8, y, 'losses', { fill: mutedInk }) +
    text(heads.left, y, 'head', { fill: mutedInk }) +
    text(heads.weightsRight, y, 'weight', { fill: mutedInk, 'text-anchor': 'end' })
  );
}

/** Units of work below each module, of this plan and of the reference procedure. */
function drawStrips({ modules, totals }: Explanation, { columns, stripsTop, heads }: Layout): string {
  const strip = (label: string, y: number, values: readonly number[], total: number) =>
    [
      text(margin + 8, y, label, { fill: mutedInk }),
      ...values.map((value, module) => {
        const { left, right } = moduleEdges(columns, module);
        return text((left + right) / 2, y, value.toFixed(0), { 'text-anchor': 'middle', fill: ink });
      }),
      text(heads.left, y, `${total.toFixed(2)} with heads`, { fill: mutedInk }),
    ].join('');
  return [
    line(margin, stripsTop - 8, heads.weightsRight + 10, stripsTop - 8, { stroke: '#c9d1da' }),
    strip(
      'units',
      stripsTop + 8,
      modules.map(({ unitsOfWork }) => unitsOfWork),
      totals.unitsOfWork,
    ),
    strip(
      'reference',
      stripsTop + 26,
      modules.map(({ referenceUnitsOfWork }) => referenceUnitsOfWork),
      totals.reference.unitsOfWork,
    ),
  ].join('');
}

/** Legend of the symbols in use. */
function drawLegend({ objectives }: Explanation, width: number): { markup: string; height: number } {
  const chains = objectives.flatMap(({ chain }) => (chain === undefined ? [] : [chain]));
  const copies = chains.flatMap(({ blocks }) => blocks);
  const momenta = [...new Set(chains.map(({ momentum }) => momentum).filter((momentum) => momentum < 1))];
  const roles = (['independent', 'cascaded', 'final'] as const).filter((role) =>
    objectives.some((objective) => objective.role === role),
  );
  const roleNames = {
    independent: "trained by a module's own loss",
    cascaded: 'trained by a cascaded loss',
    final: "trained by the classifier's loss",
  };
  const chainedRole = objectives.find(({ chain }) => chain !== undefined)?.role ?? 'independent';
  const items: (readonly [sign: string, width: number, label: string])[] = [
    ...roles.map((role) => [drawBar(-4, 34, 0, roleColors[role], []), 34, roleNames[role]] as const),
    [line(4, -6.5, 4, 6.5, { stroke: ink, 'stroke-width': 2 }), 8, 'gradients stop'],
    [drawLoss(8, 0, ink), 16, 'head and loss'],
  ];
  if (copies.some(({ learnable }) => learnable)) {
    items.push([drawLearnable(0, 0, 20, chainedRole), 20, 'copy of the block above, trained by the loss']);
  }
  if (copies.some(({ averaged }) => averaged)) items.push([drawAverage(0, 0, 13), 13, 'averaged copy']);
  if (momenta.length > 0 && copies.some(({ averaged }) => averaged)) {
    const arrow = line(0, 0, 22, 0, { stroke: averageColor, 'stroke-dasharray': '4 3' });
    const label = `follows the live block (momentum ${momenta.join(', ')})`;
    items.push([arrow + arrowHead(27, 0, 'right', 6, averageColor), 27, label]);
  }
  let x = 8;
  let y = 8;
  const markup = items.map(([sign, extent, label]) => {
    const needed = extent + 8 + textWidth(label, fontSize);
    if (x > 8 && x + needed > width) {
      x = 8;
      y += 20;
    }
    const placed = element('g', { transform: `translate(${x} ${y})` }, sign, text(extent + 8, 4, label, { fill: ink }));
    x += needed + 22;
    return placed;
  });
  return { markup: markup.join(''), height: y + 10 };
}
