import { printable } from '../text/printable.js';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Attribute values; numbers are rounded to visible precision. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An XML element; children are markup. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escapeMarkup(shown(value))}"`]))
    .join('');
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join('')}</${name}>`;
}

/** One line of text. */
export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escapeMarkup(content));
}

export function line(x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string {
  return element('line', { x1, y1, x2, y2, ...attributes });
}

export function rectangle(x: number, y: number, width: number, height: number, attributes: Attributes): string {
  return element('rect', { x, y, width, height, ...attributes });
}

/** A filled arrow head with its point at (x, y). */
export function arrowHead(
  x: number,
  y: number,
  towards: 'left' | 'right' | 'down',
  size: number,
  fill: string,
): string {
  const half = size * 0.55;
  const points = {
    left: [x, y, x + size, y - half, x + size, y + half],
    right: [x, y, x - size, y - half, x - size, y + half],
    down: [x, y, x - half, y - size, x + half, y - size],
  }[towards];
  return element('polygon', { points: points.map((value) => shown(value)).join(' '), fill });
}

/** Upper estimate of the width of text in DejaVu Sans, the widest of the requested fonts. */
export function textWidth(content: string, fontSize: number): number {
  return content.length * fontSize * 0.62;
}

/** Text for XML and HTML; control characters, which XML does not allow, are replaced. */
export function escapeMarkup(content: string): string {
  return printable(content).replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

function shown(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
}

/** Prefixes all IDs of an SVG: figures on one page must not share clip paths or titles. */
export function withOwnIds(svg: string, prefix: string): string {
  return svg
    .replaceAll(/ id="([^"]+)"/g, ` id="${prefix}$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${prefix}$1)`)
    .replaceAll(/ (xlink:)?href="#([^"]+)"/g, ` $1href="#${prefix}$2"`)
    .replaceAll(
      / (aria-labelledby|aria-describedby)="([^"]+)"/g,
      (_, name: string, ids: string) =>
        ` ${name}="${ids
          .split(/\s+/)
          .map((id) => prefix + id)
          .join(' ')}"`,
    );
}

/**
 * Adds a title and a description for screen readers, and removes the roles of parts, which Vega sets on unnamed groups.
 */
export function withDescription(svg: string, title: string, description: string): string {
  const words = `<title id="title">${escapeMarkup(title)}</title><desc id="description">${escapeMarkup(description)}</desc>`;
  const unnamed = svg.replaceAll(/<[a-z][^>]*>/gi, (tag) => tag.replaceAll(/ (role|aria-[a-z]+)="[^"]*"/g, ''));
  return unnamed
    .replace(/<svg[^>]*/, (tag) => `${tag} role="img" aria-labelledby="title description"`)
    .replace('>', () => `>${words}`);
}
