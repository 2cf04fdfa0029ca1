import { withBase } from 'vitepress';
import { type FunctionalComponent, h } from 'vue';

/** Set by the site's configuration: whether the playground is built. */
declare const __HAS_PLAYGROUND__: boolean;

/** The playground in a frame, if this build of the site contains it. */
export const Playground: FunctionalComponent = () => {
  if (!__HAS_PLAYGROUND__) return h('p', 'This build of the site does not contain the playground.');
  const src = withBase('/playground/');
  return [
    h('p', [
      h('a', { href: src, target: '_self' }, 'Open the playground in the whole window'),
      ': it then has threads, which a frame has only if the site around it is cross-origin isolated.',
    ]),
    h('iframe', { class: 'playground', src, title: 'Playground', allow: 'cross-origin-isolated' }),
  ];
};
