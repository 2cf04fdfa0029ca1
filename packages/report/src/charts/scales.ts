/** Minimum and maximum of numbers with a margin. */
export function domainOf(values: readonly number[], room = 0.04): [number, number] {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const margin = most === least ? Math.abs(most) * 0.05 || 1 : (most - least) * room;
  return [least - margin, most + margin];
}

/** The same for fractions, within [0, 1]. */
function shareDomainOf(values: readonly number[]): [number, number] {
  const [least, most] = domainOf(values);
  return [Math.max(0, least), Math.min(1, most)];
}

/**
 * Moves heights apart that are closer than `gap`, around their common center, within the domain if they fit. Keeps the
 * order. An item of size n occupies n gaps.
 */
export function spread<T extends { readonly y: number; readonly size?: number }>(
  ends: readonly T[],
  gap: number,
  [least, most]: readonly [number, number],
): (T & { readonly at: number })[] {
  const sorted = [...ends].sort((a, b) => a.y - b.y);
  const clusters: { items: T[]; bottom: number }[] = [];
  for (const end of sorted) {
    let cluster = placed([end]);
    let below = clusters.at(-1);
    while (below !== undefined && below.bottom + heightOf(below.items) > cluster.bottom) {
      clusters.pop();
      cluster = placed([...below.items, ...cluster.items]);
      below = clusters.at(-1);
    }
    clusters.push(cluster);
  }
  return clusters.flatMap(({ items, bottom }) =>
    items.map((end, index) => ({ ...end, at: bottom + heightOf(items.slice(0, index)) + room(end) / 2 })),
  );

  function room({ size = 1 }: T): number {
    return gap * size;
  }
  function heightOf(items: readonly T[]): number {
    return items.reduce((sum, item) => sum + room(item), 0);
  }
  function placed(items: T[]) {
    const height = heightOf(items);
    const middle = items.reduce((sum, { y }) => sum + y, 0) / items.length;
    // The center of a single item may lie on the bounds of the domain.
    const bottom = Math.max(least - gap / 2, Math.min(most + gap / 2 - height, middle - height / 2));
    return { items, bottom };
  }
}

/** Domain and number format of an axis of fractions, or of other numbers. */
export function axisOf(
  values: readonly number[],
  isFraction: boolean,
): { readonly domain: [number, number]; readonly format: string | null } {
  if (!isFraction) return { domain: domainOf(values), format: null };
  const domain = shareDomainOf(values);
  return { domain, format: shareFormat(domain) };
}

/** Number format of an axis of fractions, with the decimals that its ticks need. */
function shareFormat([least, most]: readonly [number, number]): string {
  const step = (most - least) / 5;
  return step >= 0.01 ? '.0%' : step >= 0.001 ? '.1%' : '.2%';
}
