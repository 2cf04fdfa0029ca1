import { withBase } from 'vitepress';
import { type FunctionalComponent, h } from 'vue';

/** The page for addresses that do not exist. */
export const NotFound: FunctionalComponent = () =>
  h('main', { class: 'not-found' }, [
    h('h1', 'Page not found'),
    h('p', 'Use the search above, or begin at the front page.'),
    h('a', { href: withBase('/') }, 'Front page'),
  ]);
