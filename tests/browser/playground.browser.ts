import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { selectBackend } from '@localgrad/backends';
import { encodePng } from '@localgrad/data';
import { parseExperiment } from '@localgrad/experiments';
import { readSafetensors } from '@localgrad/nn/serialization';
import { loadData, prepareRun, runConfigSchema } from '@localgrad/runs';
import { captureTensors, train } from '@localgrad/train';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { obstacle } from './chromium.js';
import { click, type Playground, reached, type StoredRun, startPlayground, storedRun } from './playground.fixture.js';

const small = 'trainImages=500&testImages=200&epochs=2&resize=16&threads=1&backend=wasm';

describe.skipIf(obstacle !== undefined)('the playground', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await startPlayground();
  }, 300_000);
  afterAll(() => playground?.close());

  it.each([
    { colorScheme: 'light', width: 1280 },
    { colorScheme: 'dark', width: 1280 },
    { colorScheme: 'light', width: 375 },
    { colorScheme: 'dark', width: 320 },
  ] as const)(
    'is accessible before and after training: $colorScheme, $width pixels',
    async ({ colorScheme, width }) => {
      const page = await playground.open(
        `?method=mlaan(greedy)&modules=4&method2=backprop&modules2=4&${small}&epochs=1`,
        {
          colorScheme,
          viewport: { width, height: 800 },
        },
      );
      await reached(page, 'ready');
      const violations = async () => {
        const results = await new AxeBuilder({ page }).analyze();
        return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      };
      expect(await violations()).toEqual([]);
      // With the suggestions open.
      const method = page.getByRole('combobox', { name: 'Method' }).first();
      await method.press('End');
      await method.press('ArrowLeft');
      await method.press(',');
      await suggestions(page).first().waitFor();
      expect(await violations()).toEqual([]);
      await method.press('Backspace');
      await method.press('Escape');
      // The unfinished expression had failed.
      await page.waitForFunction(() => document.querySelectorAll('.status.ready').length === 2);
      await click(page, 'Train');
      await reached(page, 'finished');
      expect(await violations()).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      await page.context().close();
    },
    300_000,
  );

  it.each([
    ['backprop', 'greedy'],
    ['dgl', 'mlaan(greedy)'],
  ])(
    'trains %s and %s to the numbers of Node, from its experiment file',
    async (first, second) => {
      const page = await playground.open(`?method=${first}&modules=7&method2=${second}&modules2=7&${small}`);
      await reached(page, 'ready');
      const source = await downloaded(page, 'Experiment file');
      await click(page, 'Train');
      await reached(page, 'finished');
      const { conditions, seeds } = await parseExperiment(source.toString('utf8'), 'playground.yaml', {
        schema: runConfigSchema,
      });
      for (const [index, { config }] of conditions.entries()) {
        const stored = await storedRun(page, index);
        const expected = await trainedInNode({ ...config, seed: seeds[0] });
        expectSame(stored.records, expected.records);
        expect(stored.sums).toEqual(expected.sums);
      }
      await page.context().close();
    },
    300_000,
  );

  it('continues after a pause and a reload as if nothing had happened', async () => {
    const query = `?method=dgl&modules=4&${small.replace('trainImages=500', 'trainImages=2000')}`;
    const straight = await playground.open(query);
    await reached(straight, 'ready');
    await click(straight, 'Train');
    await reached(straight, 'finished');
    const page = await playground.open(query);
    await reached(page, 'ready');
    await click(page, 'Train');
    await page.waitForFunction(() => (document.querySelector('progress')?.value ?? 0) > 2);
    await click(page, 'Pause');
    await reached(page, 'paused');
    const { step } = await storedRun(page, 0);
    expect(step).toBeLessThan(80);
    await page.reload();
    await reached(page, 'paused');
    expect((await storedRun(page, 0)).step).toBe(step);
    await click(page, 'Resume');
    await reached(page, 'finished');
    const [a, b] = [await storedRun(straight, 0), await storedRun(page, 0)];
    expect(b.sums).toEqual(a.sums);
    expectSame(b.records, a.records);
    // A finished run is still there after a reload, with its weights.
    await page.reload();
    await reached(page, 'finished');
    const weights = readSafetensors(await downloaded(page, 'Weights'), 'weights');
    expect(JSON.parse(weights.metadata.localgrad ?? '')).toMatchObject({ inputShape: [16, 16, 1], classes: 10 });
    await straight.context().close();
    await page.context().close();
  }, 300_000);

  it('keeps training while the tab is frozen and resized', async () => {
    const page = await playground.open(`?method=dgl&modules=4&${small}`);
    await reached(page, 'ready');
    await click(page, 'Train');
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await page.setViewportSize({ width: 500, height: 700 });
    await reached(page, 'finished');
    const width = await page.evaluate(() => document.querySelector('.chart svg')?.getBoundingClientRect().width);
    expect(width).toBeLessThan(500);
    await page.context().close();
  }, 300_000);

  it('uses no more memory after 2,000 steps than after a hundred', async () => {
    const page = await playground.open(
      '?method=dgl&modules=2&backbone=tiny&resize=8&trainImages=500&testImages=50&batch=5&epochs=20&threads=1&backend=wasm',
    );
    await reached(page, 'ready');
    const memory = () => page.getByTestId('run-a-memory').textContent();
    await click(page, 'Train');
    await page.waitForFunction(() => (document.querySelector('progress')?.value ?? 0) > 100);
    await click(page, 'Pause');
    await reached(page, 'paused');
    const before = await memory();
    expect(before).toMatch(/\d+ tensors, [\d.]+ [KM]iB in use/);
    await click(page, 'Resume');
    await reached(page, 'finished');
    expect((await storedRun(page, 0)).step).toBe(2_000);
    expect(await memory()).toBe(before);
    await page.context().close();
  }, 300_000);

  it('is used by keyboard: completion, training, pause', async () => {
    const page = await playground.open(`?method=dgl&modules=4&${small}`);
    await reached(page, 'ready');
    const method = page.getByRole('combobox', { name: 'Method' });
    await method.focus();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('ml');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.keyboard.type('gr');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await method.inputValue()).toBe('mlm(greedy)');
    await page.keyboard.type(', wi');
    const options = suggestions(page);
    expect(await options.locator('code').allTextContents()).toEqual(['window:', 'within:']);
    await page.keyboard.press('ArrowDown');
    expect(await method.getAttribute('aria-activedescendant')).toBe(await options.first().getAttribute('id'));
    await page.keyboard.press('Enter');
    await page.keyboard.type('2');
    expect(await method.inputValue()).toBe('mlm(greedy, window: 2)');
    await page.waitForFunction(() => document.querySelectorAll('.plan tbody tr').length === 8);
    expect(new URL(page.url()).searchParams.get('method')).toBe('mlm(greedy, window: 2)');
    await page.getByRole('button', { name: 'Train' }).focus();
    await page.keyboard.press('Enter');
    await reached(page, 'training');
    await page.getByRole('button', { name: 'Pause' }).press('Space');
    await reached(page, 'paused', 'finished');
    await page.context().close();
  }, 120_000);

  it('trains on pictures of the visitor, and keeps them', async () => {
    const folder = await pictureFolder();
    const page = await playground.open(`?method=dgl&modules=2&dataset=own&backbone=tiny&resize=8&batch=8&epochs=4`);
    await page.getByText('Drop a folder of pictures first').waitFor();
    await page.locator('input[type=file]').setInputFiles(folder);
    await page.getByText('32 training and 8 test pictures of 8 × 8 in 2 classes (dark, light)').waitFor();
    await page.locator('.status.ready').waitFor();
    await click(page, 'Train');
    await reached(page, 'finished');
    const [last] = (await storedRun(page, 0)).records.slice(-1);
    expect(last).toMatchObject({ testAccuracy: 1 });
    await page.reload();
    await reached(page, 'finished');
    await page.context().close();
    rmSync(folder, { recursive: true });
  }, 120_000);

  it('explains a method that does not exist, and a number of modules that is impossible', async () => {
    const page = await playground.open(`?method=dlg&modules=4&${small}`);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain("Unknown method 'dlg'");
    await page.getByRole('combobox', { name: 'Method' }).fill('dgl');
    await page.locator('.status.ready').waitFor();
    expect(await alert.count()).toBe(0);
    await page.getByLabel('Modules K').fill('60');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('Cannot split');
    await page.context().close();
  }, 120_000);

  it('complains about nothing in the console', () => {
    expect(playground.complaints).toEqual([]);
  });
});

/** A folder with pictures of two classes: dark and light. */
async function pictureFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-pictures-'));
  for (const [name, gray] of Object.entries({ dark: 40, light: 210 })) {
    mkdirSync(join(folder, name));
    for (let index = 0; index < 20; index++) {
      const bytes = new Uint8Array(12 * 10 * 3).fill(gray + index);
      const png = await encodePng({ height: 12, width: 10, channels: 3, bytes });
      writeFileSync(join(folder, name, `${index}.png`), png);
    }
  }
  return folder;
}

function suggestions(page: Page): Locator {
  return page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option');
}

async function downloaded(page: Page, button: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), click(page, button)]);
  return readFile(await download.path());
}

type Records = StoredRun['records'];

/**
 * Compares what does not depend on the speed of the machine. Saving a checkpoint sums up the losses that were kept as tensors until
 * then, which changes peak memory by some bytes.
 */
function expectSame(records: Records, expected: Records): void {
  const exact = (record: Records[number]) => ({ ...record, peakBytes: 0, seconds: 0, imagesPerSecond: 0 });
  expect(records.map(exact)).toEqual(expected.map(exact));
  for (const [index, { peakBytes }] of records.entries()) {
    expect(peakBytes / (expected[index]?.peakBytes ?? 0)).toBeCloseTo(1, 3);
  }
}

/** The same run by the program that reads experiment files. */
async function trainedInNode(input: object) {
  const config = runConfigSchema.parse(input);
  const backend = await selectBackend('wasm', { threads: 1, relaxedSimd: config.relaxedSimd });
  const run = await prepareRun(config, await loadData(config));
  try {
    const { epochs: records } = await train(run.options);
    const tensors = await captureTensors(run.compiled, run.options.optimizer);
    const sums = Array.from(tensors, ([name, { data }]): [string, number] => [
      name,
      Array.from(data).reduce((sum, value) => sum + Math.abs(value), 0),
    ]);
    return { records, sums: Object.fromEntries(sums) };
  } finally {
    run.dispose();
    backend.dispose();
  }
}
