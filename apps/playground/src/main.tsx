import { render } from 'preact';
import { isolate } from './isolation.js';
import { fromQuery } from './settings/url.js';
import { App } from './ui/app.js';

// Where storage or service workers are blocked, one thread is used.
isolate().catch(() => {});
const root = document.querySelector('#app');
if (root !== null) render(<App initial={fromQuery(location.search)} />, root);
