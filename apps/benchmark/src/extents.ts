/** The numbers of `512x1024`; NaN for those that are none. */
export function extentsOf(text: string): number[] {
  return text.split(/[x×]/).map(Number);
}
