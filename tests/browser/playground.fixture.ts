import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { launchChromium } from './chromium.js';
import { type Site, serve } from './site.js';

export interface Playground {
  readonly browser: Browser;
  readonly site: Site;
  /** Messages of pages that would have been errors or warnings in the console. */
  readonly complaints: readonly string[];
  /** Opens a page with a storage of its own. */
  open(query?: string, options?: Parameters<Browser['newContext']>[0]): Promise<Page>;
  close(): Promise<void>;
}

/** Builds the playground as it is published, and serves it, by default with the headers of cross-origin isolation. */
export async function startPlayground({ isolated = true } = {}): Promise<Playground> {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-playground-'));
  await build({
    root: join(import.meta.dirname, '../../apps/playground'),
    logLevel: 'silent',
    build: { outDir: folder, emptyOutDir: true },
  });
  const [browser, site] = await Promise.all([launchChromium(), serve(folder, { isolated })]);
  const complaints: string[] = [];
  return {
    browser,
    site,
    complaints,
    async open(query = '', options = {}) {
      const page = await (await browser.newContext(options)).newPage();
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      await page.goto(`${site.url}${query}`);
      return page;
    },
    async close() {
      await browser.close();
      await site.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until all runs have one of these statuses. @throws Error if one has failed */
export async function reached(page: Page, ...statuses: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (allowed) => {
      const shown = Array.from(document.querySelectorAll('.status'), ({ textContent }) => textContent ?? '');
      return shown.includes('failed') || (shown.length > 0 && shown.every((text) => allowed.includes(text)));
    },
    statuses,
    { timeout: 240_000 },
  );
  const alerts = await page.getByRole('alert').allTextContents();
  if (alerts.length > 0) throw new Error(alerts.join('\n'));
}

export function click(page: Page, name: string): Promise<void> {
  return page.getByRole('button', { name, exact: true }).click();
}

/** What the playground has stored of a run. */
export interface StoredRun {
  readonly step: number;
  readonly records: readonly { readonly peakBytes: number }[];
  /** Sum of the absolute values of each tensor, by name. */
  readonly sums: Readonly<Record<string, number>>;
}

export function storedRun(page: Page, index: number): Promise<StoredRun> {
  return page.evaluate(async (key) => {
    const result = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await result(indexedDB.open('localgrad-playground', 1));
    const { checkpoint } = await result(database.transaction('runs').objectStore('runs').get(key));
    database.close();
    const tensors: Map<string, { data: ArrayLike<number> }> = checkpoint.tensors;
    const sums = Array.from(tensors, ([name, { data }]): [string, number] => [
      name,
      Array.from(data).reduce((sum, value) => sum + Math.abs(value), 0),
    ]);
    return { step: checkpoint.progress.step, records: checkpoint.progress.records, sums: Object.fromEntries(sums) };
  }, index);
}
