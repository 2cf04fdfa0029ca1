import { render } from 'preact';
import { fromQuery } from './settings/url.js';
import { App } from './ui/app.js';

const root = document.querySelector('#app');
if (root !== null) render(<App initial={fromQuery(location.search)} />, root);
