/** Drawing of a method's plan, as `localgrad explain --svg` makes it. */
export interface PlanFigure {
  readonly title: string;
  /** One `<svg>` element. */
  readonly svg: string;
}

/** A drawing with the name of its files. */
export interface PlanFile extends PlanFigure {
  readonly id: string;
}

export const planCaption =
  'The network on top, one line for each loss below it; a bar covers the blocks that the loss trains. Gradients do not leave the bars.';

/** Names files by number and title, e.g. `plan-2-mlm-dgl-k-7`. */
export function planFilesOf(figures: readonly PlanFigure[]): PlanFile[] {
  return figures.map((figure, index) => {
    const words = figure.title.toLowerCase().match(/[a-z0-9]+/g) ?? [];
    // File systems and people have limits.
    const name = words.join('-').slice(0, 48).replace(/-+$/, '');
    return { ...figure, id: `plan-${index + 1}${name === '' ? '' : `-${name}`}` };
  });
}
