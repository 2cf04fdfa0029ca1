import { describe, expect, it } from 'vitest';
import { compare, renderComparison } from './compare.js';
import { parseCsv } from './csv.js';
import { settingColumns } from './setting-columns.js';

const settings = settingColumns({ image: [16, 16, 3], classes: 10, width: 8, memory: 'residuals', accumulate: 1 });
const record = { method: 'dgl', backbone: 'resnet14', modules: 3, backend: 'wasm', threads: 1, batch: 4 };
const row = { ...record, ...settings, step_ms_median: '20.00', peak_bytes: 300 };
const asText = (values: Readonly<Record<string, string | number | null>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value ?? '')]));

describe('parseCsv', () => {
  it('reads a table that a spreadsheet has saved, with a byte-order mark and other line ends', () => {
    const rows = [{ method: 'mlm(dgl, window: 3)', batch: '4' }];
    expect(parseCsv('method,batch\n"mlm(dgl, window: 3)",4\n')).toEqual(rows);
    expect(parseCsv('\ufeffmethod,batch\r\n"mlm(dgl, window: 3)",4\r\n')).toEqual(rows);
  });
});

describe('compare', () => {
  it('gives ratios of rows with the same settings', () => {
    const earlier = [
      asText({ ...row, image: '8x8x1', step_ms_median: '1.00' }),
      asText({ ...row, step_ms_median: '10.00' }),
    ];
    const { rows, unknown } = compare('old.csv', [row], {}, earlier);
    expect(rows[0]?.ratios).toEqual({ step_ms_median: 2, peak_bytes: 1 });
    expect(unknown).toEqual([]);
  });

  it('compares no rows of other settings, and names what differs', () => {
    const earlier = [asText({ ...row, image: '8x8x1', optimizer: 'adamw' })];
    const comparison = compare('old.csv', [row], {}, earlier);
    expect(comparison.rows[0]?.ratios).toEqual({});
    expect(renderComparison(comparison)).toContain(
      'not compared, other settings: image: 8x8x1 → 16x16x3; optimizer: adamw → default',
    );
  });

  it('says which settings a file of an earlier version does not record', () => {
    const earlier = [asText({ ...record, step_ms_median: '10.00' })];
    const comparison = compare('old.csv', [row], {}, earlier);
    expect(comparison.rows[0]?.ratios).toEqual({ step_ms_median: 2 });
    expect(renderComparison(comparison)).toMatch(/earlier version, which did not record image, classes, .*same\./);
  });
});
