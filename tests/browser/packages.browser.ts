import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, obstacle } from './chromium.js';
import { type Site, serve } from './site.js';

const example = join(import.meta.dirname, '../../examples/browser');

/** The lines that the example has printed when it has ended. */
async function linesOf(browser: Browser, site: Site, query = ''): Promise<string[]> {
  const page = await browser.newPage();
  try {
    await page.goto(`${site.url}${query}`);
    await page.waitForFunction(() => /^(done|Error)/m.test(document.querySelector('#log')?.textContent ?? ''), null, {
      timeout: 120_000,
    });
    return ((await page.textContent('#log')) ?? '').trim().split('\n');
  } finally {
    await page.close();
  }
}

describe.skipIf(obstacle !== undefined)('the example of a web page, built by Vite', () => {
  let folder: string;
  let browser: Browser;
  let isolated: Site;
  let plain: Site;
  const warnings: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-browser-'));
    const rolldownOptions = {
      onLog(level: Rolldown.LogLevel, { message = '' }: Rolldown.RolldownLog) {
        if (level === 'warn') warnings.push(message);
      },
    };
    await build({
      root: example,
      logLevel: 'silent',
      build: { outDir: folder, emptyOutDir: true, rolldownOptions },
      // Almost all of the code is in the worker, which is bundled by itself.
      worker: { rolldownOptions },
    });
    const files = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
    mkdirSync(join(folder, 'own'));
    for (const name of ['', '-simd', '-threaded-simd']) {
      const file = `tfjs-backend-wasm${name}.wasm`;
      cpSync(join(files, 'dist', file), join(folder, 'own', file));
    }
    [browser, isolated, plain] = await Promise.all([
      launchChromium(),
      serve(folder, { isolated: true }),
      serve(folder, { isolated: false }),
    ]);
  }, 300_000);
  afterAll(async () => {
    await Promise.all([browser?.close(), isolated?.close(), plain?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('is bundled without a warning', () => {
    expect(warnings.filter((message) => !message.includes('PLUGIN_TIMINGS'))).toEqual([]);
  });

  it('trains on one thread without cross-origin isolation, and explains why', async () => {
    const lines = await linesOf(browser, plain, '?threads=2');
    expect(lines[0]).toBe('backend wasm simd, threads: 1');
    expect(lines[1]).toContain('threads require cross-origin isolation');
    expect(lines.at(-1)).toBe('done');
    expect(plain.missing).toEqual([]);
  }, 180_000);

  it('trains on several threads with cross-origin isolation, with the numbers of one thread', async () => {
    const two = await linesOf(browser, isolated, '?threads=2');
    expect(two[0]).toBe('backend wasm threaded-simd, threads: 2');
    const one = await linesOf(browser, isolated, '?threads=1');
    expect(one[0]).toBe('backend wasm simd, threads: 1');
    expect(two.at(-1)).toBe('done');
    expect(two.slice(1)).toEqual(one.slice(1));
    expect(Number(/accuracy ([\d.]+)/.exec(one.at(-2) ?? '')?.[1])).toBeGreaterThan(0.1);
  }, 180_000);

  it('loads the .wasm files from a folder of the site', async () => {
    const lines = await linesOf(browser, isolated, '?threads=2&folder=/own');
    expect(lines[0]).toBe('backend wasm threaded-simd, threads: 2');
    expect(lines.at(-1)).toBe('done');
  }, 180_000);

  it('names the files and the option if the .wasm files are not found', async () => {
    const lines = await linesOf(browser, plain, '?threads=1&folder=/nowhere');
    expect(lines.at(-1)).toMatch(/^Error: The wasm backend .* http:\/\/[^ ]*\/nowhere\/tfjs-backend-wasm.*wasmPaths/);
  }, 180_000);
});
