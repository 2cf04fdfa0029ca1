/** Drawing of the plan of a method, as created by `explanationSvg`. */
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
  'The network is at the top, with one line per loss below it. A bar covers the blocks that the loss trains; gradients do not leave it.';

/** Names files by number and title, e.g. `plan-2-mlm-dgl-k-7`. */
export function planFilesOf(figures: readonly PlanFigure[]): PlanFile[] {
  return figures.map((figure, index) => {
    const words = figure.title.toLowerCase().match(/[a-z0-9]+/g) ?? [];
    // File systems limit names.
    const name = words.join('-').slice(0, 48).replace(/-+$/, '');
    return { ...figure, id: `plan-${index + 1}${name === '' ? '' : `-${name}`}` };
  });
}
