import type { MarkdownRenderer } from 'vitepress';
import { resolveLink } from './pages';

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
