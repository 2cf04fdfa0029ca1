import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { obstacle } from './chromium.js';
import { type Playground, startPlayground } from './playground.fixture.js';

const query = '?method=dgl&modules=2&backbone=tiny&resize=8&trainImages=50&testImages=50&threads=2&backend=wasm';

describe.skipIf(obstacle !== undefined)('the playground on a host that cannot send headers', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await startPlayground({ isolated: false });
  }, 300_000);
  afterAll(() => playground?.close());

  /** Text with the number of threads, once the run is ready. */
  const device = async (page: Page) => {
    await page.locator('.status.ready').waitFor({ timeout: 120_000 });
    return page.locator('.device').textContent();
  };

  it('becomes cross-origin isolated by its service worker, after one reload', async () => {
    const page = await playground.open(query);
    await page.waitForFunction(() => crossOriginIsolated, null, { timeout: 60_000 });
    expect(await device(page)).toContain('2 threads');
    expect(new URL(page.url()).searchParams.get('method')).toBe('dgl');
    await page.reload();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.context().close();
  }, 180_000);

  it('trains on one thread where service workers are blocked, and explains why', async () => {
    const page = await playground.open(query, { serviceWorkers: 'block' });
    const text = await device(page);
    expect(text).toContain('1 thread');
    expect(text).toContain('cross-origin isolation');
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await page.context().close();
  }, 180_000);
});
