/** Values of attributes; numbers are rounded to what can be seen. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One SVG element; children are markup. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escaped(shown(value))}"`]))
    .join('');
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join('')}</${name}>`;
}

/** A line of text. `anchor`: which of its points lies at x. */
export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(content));
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

/** Width of text in DejaVu Sans, the widest of the fonts that the figure asks for. */
export function textWidth(content: string, fontSize: number): number {
  return content.length * fontSize * 0.62;
}

export function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function shown(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
}
