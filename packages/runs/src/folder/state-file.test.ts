import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { summaryOf } from '../run-summary.fixture.js';
import { lookForEnvironment, readRunState, readSummary } from './run-state.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string) => writeFileSync(join(folder, name), content);
const whole = JSON.stringify(summaryOf('abc'), null, 2);

describe('a summary', () => {
  it('may contain unknown keys', async () => {
    put('summary.json', JSON.stringify({ ...summaryOf('abc'), later: { more: 1 } }));
    expect(await readSummary(folder)).toMatchObject({ runId: 'abc', later: { more: 1 } });
  });

  it.each([
    ['', /is damaged: it is empty\./],
    ['\n', /it is empty/],
    ['\0'.repeat(100), /it contains nothing but zero bytes/],
    ['null', /it is not the summary of a localgrad run \(Invalid input: expected object, received null\)/],
    ['{}', /it is not the summary of a localgrad run \(formatVersion: /],
    ['[]', /received array/],
    ['{"epochs": 3}', /formatVersion: /],
    [whole.slice(0, -10), /it is not JSON/],
    [JSON.stringify({ ...summaryOf('abc'), testAccuracy: 'high' }), /testAccuracy: /],
    [JSON.stringify({ ...summaryOf('abc'), testAccuracy: 50 }), /testAccuracy: /],
    [JSON.stringify({ ...summaryOf('abc'), formatVersion: 0 }), /formatVersion: /],
    [JSON.stringify({ ...summaryOf('abc'), formatVersion: 1.5 }), /formatVersion: /],
    [JSON.stringify({ ...summaryOf('abc'), runId: '' }), /runId: /],
    [JSON.stringify({ ...summaryOf('abc'), steps: null }), /steps: /],
    [JSON.stringify({ ...summaryOf('abc'), weights: { bytes: 1, sha256: 'x' } }), /weights\.sha256: /],
  ])('is reported with its damage, and not counted as a finished run (%#)', async (content, message) => {
    put('summary.json', content);
    await expect(readSummary(folder)).rejects.toMatchObject({
      code: 'invalid-data',
      message: expect.stringMatching(message),
    });
    await expect(readSummary(folder)).rejects.toThrow(`'${join(folder, 'summary.json')}' is damaged`);
    expect(await readRunState(folder)).toMatchObject({
      status: 'unreadable',
      message: expect.stringMatching(/summary\.json' is damaged/),
    });
  });

  it('is rejected if it belongs to another run than the identity beside it', async () => {
    put('summary.json', whole);
    put('identity.json', JSON.stringify({ runId: 'def' }));
    await expect(readSummary(folder)).rejects.toThrow(
      "summary.json' is damaged: it belongs to run abc, but the folder contains run def.",
    );
    expect(await readRunState(folder)).toMatchObject({ status: 'unreadable' });
    put('identity.json', JSON.stringify({ runId: 'abc' }));
    expect(await readSummary(folder)).toMatchObject({ runId: 'abc' });
  });

  it('is quoted on one line without its control characters', async () => {
    put('summary.json', '{"a": \u001b[31m\n\u0007');
    await expect(readSummary(folder)).rejects.toThrow(/^[^\p{Cc}]*$/u);
  });

  it('is reported if it is a folder', async () => {
    mkdirSync(join(folder, 'summary.json'));
    expect(await readRunState(folder)).toMatchObject({
      status: 'unreadable',
      message: expect.stringMatching(/summary\.json' is damaged: it is a folder; a file is required\./),
    });
  });
});

describe('the state of a run', () => {
  it('is unreadable if its claims folder is a file', async () => {
    put('claims', '');
    expect(await readRunState(folder)).toMatchObject({
      status: 'unreadable',
      message: expect.stringMatching(/ENOTDIR/),
    });
  });

  it('ignores claims with foreign names', async () => {
    mkdirSync(join(folder, 'claims'));
    for (const name of ['1.json', '0000001.json', '01.json', 'x000001.json', '000001.json.bak'])
      put(`claims/${name}`, '{}');
    expect(await readRunState(folder)).toMatchObject({ status: 'waiting', attempts: [] });
    const owner = { host: 'elsewhere', pid: 1, startTicks: null };
    put('claims/000001.json', JSON.stringify({ owner, startedAt: '', outcome: 'stopped' }));
    expect((await readRunState(folder)).attempts.map(({ number }) => number)).toEqual([1]);
  });
});

describe('an environment', () => {
  it('is read, and reported if damaged', async () => {
    expect(await lookForEnvironment(folder)).toEqual({ environment: undefined });
    put('environment.json', JSON.stringify({ localgrad: '0.1.0', commit: null, date: 'today', node: '20' }));
    expect(await lookForEnvironment(folder)).toMatchObject({ environment: { node: '20' } });
    for (const content of ['', '{}', 'null', '{"localgrad":1}']) {
      put('environment.json', content);
      expect(await lookForEnvironment(folder)).toEqual({
        problem: expect.stringMatching(/environment\.json' is damaged/),
      });
    }
  });
});
