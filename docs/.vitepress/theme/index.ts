import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { Playground } from './playground';
import './style.css';

const theme: Theme = {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Playground', Playground);
  },
};

export default theme;
