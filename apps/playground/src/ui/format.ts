export function percent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

/** Bytes as `1.3 MiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${value >= 100 || power === 0 ? value.toFixed(0) : value.toPrecision(2)} ${units[power]}`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`;
}

/** A loss with three digits. */
export function loss(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
