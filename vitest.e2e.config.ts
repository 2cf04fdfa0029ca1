import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Tests of the built command line in processes of its own: `npm run test:e2e`. */
const config = mergeConfig(base, defineConfig({ test: { testTimeout: 900_000, hookTimeout: 300_000, maxWorkers: 2 } }));
config.test.include = ['tests/*/*.e2e.ts', 'tools/fuzz/*.e2e.ts'];
export default config;
