import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';
import { resolveLink, root } from './pages';

/** Resolves links between files of the repository. */
export function linksBetweenFiles(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('links-between-files', ({ tokens, env }) => {
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.type === 'link_open' ? token.attrGet('href') : null;
        if (href !== null) token.attrSet('href', resolveLink(href, env.realPath ?? env.path));
      }
    }
  });
}

/** Keeps a number with its unit or sign on one line: 0.48 ×, 95 %, ± 0.9, K = 16. Headings keep their text, and so their anchors. */
export function numbersOnOneLine(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('numbers-on-one-line', ({ tokens }) => {
    for (const [index, { children }] of tokens.entries()) {
      if (tokens[index - 1]?.type === 'heading_open') continue;
      for (const token of children ?? []) if (token.type === 'text') token.content = withoutBreaks(token.content);
    }
  });
}

export function withoutBreaks(text: string): string {
  return text.replace(/(?<=\d) (?=[×±%])|(?<=±) (?=\d)|(?<=\bK) (?==)|(?<=\bK =) (?=\d)/g, '\u00a0');
}

/** Drawings of plans keep their size on narrow screens and scroll, by keyboard, too. */
export function wideFigures(markdown: MarkdownRenderer): void {
  const image = markdown.renderer.rules.image;
  markdown.renderer.rules.image = (tokens, index, options, env, self) => {
    const drawn = image?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options);
    const token = tokens[index];
    if (token === undefined || !(token.attrGet('src') ?? '').includes('images/plans/')) return drawn;
    const label = markdown.utils.escapeHtml(token.content);
    return `<span class="plan" role="group" tabindex="0" aria-label="${label}">${drawn}</span>`;
  };
}

/** Shows the plan of a method or decorator before the first code of its card. npm could not show the image. */
export function plansOnCards(markdown: MarkdownRenderer): void {
  markdown.core.ruler.before('normalize', 'plans-on-cards', (state) => {
    const [, kind, name] = /packages\/(methods|decorators)\/([\w-]+)\/README\.md$/.exec(state.env.realPath ?? '') ?? [];
    if (name === undefined || !existsSync(join(root, `docs/images/plans/${name}.svg`))) return;
    const plan = `Plan of ${kind === 'methods' ? name : `${name}(dgl)`} for a ResNet-14 in four modules: one line per loss`;
    const image = `![${plan}](../../../docs/images/plans/${name}.svg)`;
    state.src = state.src.replace(/\n\n(?=```)/, () => `\n\n${image}\n\n`);
  });
}
