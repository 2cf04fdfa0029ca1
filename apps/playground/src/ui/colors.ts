/** Colors of the two runs. */
export const runColors = ['var(--run-a)', 'var(--run-b)'] as const;

export const runNames = ['A', 'B'] as const;

/** Color of a module: from the first to the last of K. */
export function moduleColor(index: number, modules: number): string {
  const share = modules <= 1 ? 100 : Math.round((100 * index) / (modules - 1));
  return `color-mix(in oklch, var(--last-module) ${share}%, var(--first-module))`;
}
