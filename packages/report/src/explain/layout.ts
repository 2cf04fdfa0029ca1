import { type BlockReference, formatReference } from '@localgrad/core';
import type { ObjectiveDescription } from '@localgrad/engine';
import type { Explanation } from '@localgrad/runs';
import { textWidth } from '../theme/markup.js';
import { weightText } from './labels.js';

/** Column of a backbone block; contains everything that belongs to the block. */
export interface Column {
  readonly reference: BlockReference;
  readonly label: string;
  readonly module: number;
  readonly left: number;
  readonly right: number;
}

/** One loss: a line of the figure. */
export interface Lane {
  readonly objective: ObjectiveDescription;
  readonly y: number;
  /** Position of its chain: the same line, unless the chain returns to blocks below the bar. */
  readonly chainY: number;
}

/** The losses at the output of one module. */
export interface Row {
  readonly module: number;
  readonly top: number;
  readonly bottom: number;
  readonly lanes: readonly Lane[];
}

export interface Layout {
  readonly columns: readonly Column[];
  readonly columnWidth: number;
  /** Whether block names are vertical, for narrow columns. */
  readonly hasUprightNames: boolean;
  readonly network: { readonly top: number; readonly blocksTop: number; readonly bottom: number };
  readonly classifier: { readonly left: number; readonly right: number };
  readonly rows: readonly Row[];
  /** To the right of the drawing: left edge of the heads and right edge of their weights. */
  readonly heads: { readonly left: number; readonly weightsRight: number };
  readonly left: number;
  readonly stripsTop: number;
  readonly width: number;
  readonly height: number;
}

export const margin = 28;
export const fontSize = 11;
export const titleSize = 17;
const rowLabels = 84;
const laneHeight = 18;
const rowPadding = 5;
const classifierWidth = 74;
const headerHeight = 74;
const stripHeight = 18;

/**
 * Places one column per backbone block and one row per module with losses. Copies of a block are in its column. The blocks of
 * a chain come after the module, so copies are to the right of the bars, and lines from the live blocks down to them cross
 * no bar.
 */
export function layOut(explanation: Explanation, legendHeight: number): Layout {
  const { modules, objectives } = explanation;
  const blocks = modules.flatMap(({ index, references }) => references.map((reference) => ({ index, reference })));
  const columnWidth = Math.min(58, Math.max(26, Math.floor(800 / blocks.length)));
  const hasUprightNames = columnWidth < 36;
  const left = margin + rowLabels;
  const columns = blocks.map(({ index, reference }, position): Column => {
    const label = reference[0] === 0 ? 'stem' : formatReference(reference);
    const start = left + position * columnWidth;
    return { reference, label, module: index, left: start, right: start + columnWidth };
  });
  const end = left + columns.length * columnWidth;
  const classifier = { left: end, right: end + classifierWidth };

  const networkTop = margin + headerHeight;
  const blocksTop = networkTop + 20;
  const network = { top: networkTop, blocksTop, bottom: blocksTop + (hasUprightNames ? 46 : 26) };

  let y = network.bottom + 26;
  const rows = modules.flatMap(({ index }): Row[] => {
    const here = objectives.filter(({ span }) => span[1] === index);
    if (here.length === 0) return [];
    const top = y;
    y += rowPadding;
    const lanes = here.map((objective): Lane => {
      const center = y + laneHeight / 2;
      y += laneHeight;
      if (!goesBack(objective, columns)) return { objective, y: center, chainY: center };
      y += laneHeight;
      return { objective, y: center, chainY: center + laneHeight };
    });
    y += rowPadding;
    return [{ module: index, top, bottom: y, lanes }];
  });

  const widest = (texts: readonly string[]) => Math.max(0, ...texts.map((content) => textWidth(content, fontSize)));
  const headsLeft = classifier.right + 18;
  const headWidth = widest(['head', ...objectives.map(({ head }) => head)]);
  const weightWidth = widest(['weight', ...objectives.map(weightText)]);
  // Title and legend need a minimum width.
  const weightsRight = Math.max(
    headsLeft + headWidth + 20 + weightWidth,
    720,
    margin + 1.1 * textWidth(titleOf(explanation), titleSize),
  );
  const stripsTop = y + 14;
  return {
    columns,
    columnWidth,
    hasUprightNames,
    network,
    classifier,
    rows,
    heads: { left: headsLeft, weightsRight },
    left,
    stripsTop,
    width: Math.ceil(weightsRight + 10 + margin),
    height: Math.ceil(stripsTop + 2 * stripHeight + 16 + legendHeight + margin),
  };
}

export function titleOf({ expression, backbone, modules }: Explanation): string {
  return `${expression} on ${backbone}, ${modules.length === 1 ? 'one module' : `${modules.length} modules`}`;
}

function goesBack({ chain, span }: ObjectiveDescription, columns: readonly Column[]): boolean {
  return (chain?.blocks ?? []).some(({ reference }) => (columnOf(columns, reference)?.module ?? 0) <= span[1]);
}

export function columnOf(columns: readonly Column[], [stage, index]: BlockReference): Column | undefined {
  return columns.find(({ reference }) => reference[0] === stage && reference[1] === index);
}

export function moduleEdges(columns: readonly Column[], module: number): { left: number; right: number } {
  const own = columns.filter((column) => column.module === module);
  return { left: own[0]?.left ?? 0, right: own.at(-1)?.right ?? 0 };
}
