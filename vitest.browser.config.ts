import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Tests of the built packages and the playground in Chromium: `npm run test:browser`. */
const config = mergeConfig(base, defineConfig({ test: { fileParallelism: false } }));
config.test.include = ['tests/browser/*.browser.ts'];
export default config;
