import type { ObjectiveRole } from '@localgrad/core';
import type { ChainBlock } from '@localgrad/engine';
import { arrowHead, element, line, rectangle, text } from '../theme/markup.js';
import { ink, mutedInk, paper } from '../theme/palette.js';
import { weightText } from './labels.js';
import { type Column, columnOf, fontSize, type Lane, type Layout, moduleEdges } from './layout.js';

/** Distinguishable by color-blind readers, and dark enough for small text on paper. */
export const roleColors = { independent: '#1b6fa5', cascaded: '#b85614', final: '#1d7a57' } as const;
export const averageColor = '#7a4fb3';
const learnableFills = { independent: '#e0eef8', cascaded: '#fbe9dc', final: '#dff1e8' } as const;

/** The role whose look an objective has: roles of other decorators look like local losses. */
function lookOf(role: ObjectiveRole): keyof typeof roleColors {
  if (role === 'cascaded') return 'cascaded';
  return role === 'final' ? 'final' : 'independent';
}
const averageFill = '#f1eafa';

const barHeight = 6;
const boxHeight = 11;

/** Position of a copy of a block in a chain. */
interface PlacedCopy {
  readonly columnRight: number;
  readonly left: number;
  readonly right: number;
  readonly learnable?: readonly [left: number, width: number];
  readonly averaged?: readonly [left: number, width: number];
}

/** Draws the span of a loss, its chain, its head and its weight. */
export function drawLane(lane: Lane, layout: Layout): string {
  const { objective, y, chainY } = lane;
  const color = roleColors[lookOf(objective.role)];
  const { left } = moduleEdges(layout.columns, objective.span[0]);
  const { right } = moduleEdges(layout.columns, objective.span[1]);
  const copies = placeCopies(objective.chain?.blocks ?? [], layout);
  const lossX = Math.max(copies.at(-1)?.columnRight ?? 0, right) + 13;
  return element(
    'g',
    {},
    drawBar(left, right, y, color, innerBorders(objective.span, layout)),
    ...drawConnections(right, lossX, lane, copies, color),
    ...copies.flatMap((copy) => drawCopy(copy, chainY, objective.role)),
    line(lossX + 9, chainY, layout.heads.left - 8, chainY, { stroke: '#c9d1da', 'stroke-dasharray': '1 4' }),
    drawLoss(lossX, chainY, color),
    text(layout.heads.left, chainY + 4, objective.head, { fill: color }),
    text(layout.heads.weightsRight, chainY + 4, weightText(objective), { fill: color, 'text-anchor': 'end' }),
  );
}

/** The bar over the blocks that a loss trains: gradients go left and stop at its end. */
export function drawBar(left: number, right: number, y: number, color: string, borders: readonly number[]): string {
  const start = left + 4;
  return [
    rectangle(start + 5, y - barHeight / 2, right - start - 8, barHeight, { fill: color, opacity: 0.9, rx: 1 }),
    ...borders.map((x) => line(x, y - barHeight / 2, x, y + barHeight / 2, { stroke: paper, 'stroke-width': 1.5 })),
    arrowHead(start + 1, y, 'left', 9, color),
    line(start, y - 6.5, start, y + 6.5, { stroke: color, 'stroke-width': 2 }),
  ].join('');
}

export function drawLoss(x: number, y: number, color: string): string {
  return (
    element('circle', { cx: x, cy: y, r: 7, fill: color, stroke: paper, 'stroke-width': 1.5 }) +
    text(x, y + 3.5, 'L', { fill: paper, 'text-anchor': 'middle', 'font-size': 10, 'font-weight': 'bold' })
  );
}

export function drawLearnable(left: number, y: number, width: number, role: ObjectiveRole): string {
  const look = { fill: learnableFills[lookOf(role)], stroke: roleColors[lookOf(role)], rx: 2 };
  return rectangle(left, y - boxHeight / 2, width, boxHeight, look);
}

export function drawAverage(left: number, y: number, width: number): string {
  const look = { fill: averageFill, stroke: averageColor, 'stroke-dasharray': '2.5 1.8', rx: 2 };
  return rectangle(left, y - boxHeight / 2, width, boxHeight, look);
}

/** Dashed lines from each live block down to the averages that follow it; drawn first, behind everything else. */
export function drawAverageSources({ columns, network, rows, columnWidth }: Layout): string {
  const ends = new Map<Column, number[]>();
  for (const { objective, chainY } of rows.flatMap(({ lanes }) => lanes)) {
    if (objective.chain === undefined || objective.chain.momentum >= 1) continue;
    for (const { reference, averaged } of objective.chain.blocks) {
      const column = columnOf(columns, reference);
      if (averaged && column !== undefined) ends.set(column, [...(ends.get(column) ?? []), chainY - boxHeight / 2]);
    }
  }
  return [...ends]
    .map(([column, ys]) => {
      const x = averageCenter(column.left, columnWidth);
      const look = { stroke: averageColor, 'stroke-dasharray': '4 3', 'stroke-width': 1, opacity: 0.75 };
      return (
        line(x, network.bottom - 5, x, Math.max(...ys) - 4, look) +
        ys.map((y) => arrowHead(x, y - 0.5, 'down', 5, averageColor)).join('')
      );
    })
    .join('');
}

const averageCenter = (left: number, width: number) => left + 0.8 * width;

function placeCopies(blocks: readonly ChainBlock[], { columns, columnWidth }: Layout): PlacedCopy[] {
  const same = (a: ChainBlock, b: ChainBlock) => a.reference[0] === b.reference[0] && a.reference[1] === b.reference[1];
  return blocks.flatMap((block, position) => {
    const column = columnOf(columns, block.reference);
    if (column === undefined) return [];
    // Two copies of the same block share its column.
    const share = columnWidth / blocks.filter((other) => same(block, other)).length;
    const left = column.left + share * blocks.slice(0, position).filter((other) => same(block, other)).length;
    const width = 0.3 * share;
    const learnable = block.learnable ? ([left + 0.1 * share, 0.48 * share] as const) : undefined;
    const averaged = block.averaged ? ([averageCenter(left, share) - width / 2, width] as const) : undefined;
    const parts = [learnable, averaged].filter((part) => part !== undefined);
    return {
      columnRight: column.right,
      left: Math.min(...parts.map(([x]) => x)),
      right: Math.max(...parts.map(([x, extent]) => x + extent)),
      ...(learnable === undefined ? {} : { learnable }),
      ...(averaged === undefined ? {} : { averaged }),
    };
  });
}

function drawConnections(
  start: number,
  lossX: number,
  { y, chainY }: Lane,
  copies: readonly PlacedCopy[],
  color: string,
): string[] {
  const look = { stroke: color, 'stroke-width': 1.2, fill: 'none' };
  const starts = [start - 3, ...copies.map(({ right }) => right)];
  const ends = [...copies.map(({ left }) => left), lossX - 7];
  const down = y === chainY ? [] : [element('path', { d: `M${start - 3} ${y}h8V${chainY}`, ...look })];
  const hops = starts.map((from, index) => {
    const to = ends[index] ?? from;
    const begin = index === 0 && y !== chainY ? start + 5 : from;
    const isForward = to >= begin;
    const needsArrow = Math.abs(to - begin) > 9;
    return (
      line(begin, chainY, to, chainY, look) +
      (needsArrow ? arrowHead(to, chainY, isForward ? 'right' : 'left', 5, color) : '')
    );
  });
  return [...down, ...hops];
}

function drawCopy({ learnable, averaged }: PlacedCopy, y: number, role: ObjectiveRole): string[] {
  const bothEnd = learnable !== undefined && averaged !== undefined ? averaged[0] : undefined;
  return [
    ...(learnable === undefined ? [] : [drawLearnable(learnable[0], y, learnable[1], role)]),
    ...(bothEnd === undefined || learnable === undefined
      ? []
      : [line(learnable[0] + learnable[1], y, bothEnd, y, { stroke: mutedInk, 'stroke-width': 1.2 })]),
    ...(averaged === undefined ? [] : [drawAverage(averaged[0], y, averaged[1])]),
  ];
}

function innerBorders([from, to]: readonly [number, number], { columns }: Layout): number[] {
  return Array.from({ length: to - from }, (_, index) => moduleEdges(columns, from + index).right);
}

/** Names of the modules, and a light background of every second row. */
export function drawRowGrounds({ rows, heads, columns }: Layout, left: number): string {
  return rows
    .map(({ module, top, bottom }, index) => {
      const names = columns.filter((column) => column.module === module);
      const label = `module ${module}`;
      return (
        (index % 2 === 0
          ? rectangle(left, top, heads.weightsRight + 10 - left, bottom - top, { fill: '#f6f8fa', rx: 3 })
          : '') +
        text(left + 8, (top + bottom) / 2 + 4, names.length === 0 ? '' : label, { fill: ink, 'font-size': fontSize })
      );
    })
    .join('');
}
