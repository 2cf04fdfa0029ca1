import { formatBytes, formatSeconds } from '@localgrad/train';
import { significance } from '../estimates.js';

const space = '\u00a0';
/** Placeholder for an empty cell. */
export const none = '–';

/** A fraction as a percentage with two decimals, as in publications. */
export const percent = (value: number | null): string =>
  value === null ? none : `${(100 * value).toFixed(2)}${space}%`;

/** A difference of fractions in percentage points, with its sign. */
export const points = (value: number): string => `${signed(value)}${space}points`;

export const signed = (share: number): string => {
  const text = Math.abs(100 * share).toFixed(2);
  return `${share < 0 && text !== '0.00' ? '−' : '+'}${text}`;
};

/** A positive number with two decimals; small ones with two digits, since none of them is zero. */
export const decimals = (value: number): string =>
  value > 0 && value < 0.1 ? String(Number(value.toPrecision(2))) : value.toFixed(2);

export const times = (value: number): string => `${decimals(value)}${space}×`;

export const bytes = (value: number | null): string => (value === null ? none : formatBytes(value).replace(' ', space));

export const duration = (value: number | null): string =>
  value === null ? none : formatSeconds(value).replaceAll(' ', space);

/** A p value; small ones as a bound, since their exact value depends on unknown tails. */
export const pValue = (p: number | null): string => {
  if (p === null) return none;
  return p < 0.001 ? `<${space}0.001` : pText(p);
};

/** Three decimals, or as many as show on which side of the level of significance it is. */
function pText(p: number): string {
  const texts = Array.from({ length: 12 }, (_, index) => p.toFixed(3 + index));
  return texts.find((text) => Number(text) < significance === p < significance) ?? p.toFixed(3);
}

/** In a sentence: `p = 0.012`. */
export const pSentence = (p: number | null): string => {
  if (p === null) return 'not tested';
  return p < 0.001 ? `p${space}<${space}0.001` : `p${space}=${space}${pText(p)}`;
};

/** `n things`, or `one thing`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  count === 1 ? `1 ${one}` : `${count} ${many}`;

/** `a, b and c`. */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** The power of a thousand that shortens numbers up to `most`, and its name, e.g. `10¹²`. */
export function powerOfThousand(most: number): { readonly factor: number; readonly name: string } {
  const exponent = most > 0 ? 3 * Math.floor(Math.log10(most) / 3) : 0;
  if (exponent <= 0) return { factor: 1, name: '1' };
  const digits = [...String(exponent)].map((digit) => superscripts[Number(digit)]).join('');
  return { factor: 10 ** exponent, name: `10${digits}` };
}

/** A count of multiply-accumulates, e.g. `1.23 × 10¹²`. */
export function operations(value: number | null): string {
  if (value === null) return none;
  const { factor, name } = powerOfThousand(value);
  return `${(value / factor).toFixed(2)}${space}×${space}${name}`;
}

/** `seed 3`, `seeds 1 and 3`. */
export function seedsOf(seeds: readonly number[]): string {
  return `${seeds.length === 1 ? 'seed' : 'seeds'} ${listed(seeds.map(String))}`;
}

/** Capitalizes the first letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
