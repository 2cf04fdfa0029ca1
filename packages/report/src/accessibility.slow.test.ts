import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticStudy } from './study.fixture.js';
import { writeReport } from './write-report.js';

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const chromium = candidates.find((path) => path !== undefined && path !== '' && existsSync(path));
if (chromium === undefined) {
  console.warn(
    "SKIPPED: the report's accessibility is not checked, as there is no Chromium. Install one or set CHROMIUM to its path.",
  );
}

const plan = {
  title: 'DGL',
  svg: '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="90" role="img" aria-labelledby="title"><title id="title">Plan of DGL</title><text x="9" y="40">DGL</text></svg>',
};

describe.skipIf(chromium === undefined)('in a browser', () => {
  let browser: Browser;
  const pages: Record<string, string> = {};
  let axe = '';
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-accessibility-'));
    const study = syntheticStudy({ modules: [4], epochs: 3 });
    const unrun = { ...study, conditions: study.conditions.map((condition) => ({ ...condition, runs: [] })) };
    pages.full = (await writeReport(study, join(folder, 'full'), { planFigures: [plan, plan] })).html;
    pages.unrun = (await writeReport(unrun, join(folder, 'unrun'))).html;
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    browser = await puppeteer.launch({ executablePath: chromium as string, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
  });

  it.each([
    ['full', 1280, 'light'],
    ['full', 360, 'dark'],
    ['unrun', 360, 'light'],
  ] as const)(
    'the %s page, %d pixels wide and %s, has nothing that axe objects to and fits',
    async (name, width, scheme) => {
      const page = await browser.newPage();
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.setViewport({ width, height: 800 });
      await page.goto(pathToFileURL(pages[name] as string).href);
      await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
      await page.evaluate(axe);
      const { violations, passes } = (await page.evaluate('axe.run(document)')) as AxeResults;
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
      expect(passes.map(({ id }) => id)).toContain('color-contrast');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      await page.close();
    },
  );
});
