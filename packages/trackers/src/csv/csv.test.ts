import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingEvent } from '@localgrad/train';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runEvents } from '../run.fixture.js';
import { csvWriter } from './csv-writer.js';
import { csvRecord, splitCsvRecords } from './records.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-csv-'));
  file = join(folder, 'epochs.csv');
});
afterEach(() => rmSync(folder, { recursive: true }));

const table =
  'epoch,learning_rate,seconds,images_per_second,peak_bytes,test_accuracy,test_loss,validation_accuracy,validation_loss,loss_module0,"loss_final, classifier"\n' +
  '1,0.5,2,128,2097152,0.625,1,,,0.5,0.25\n' +
  '2,0.25,2,128,2097152,0.75,0.5,,,0.25,0.125\n';

function watch(events: readonly TrainingEvent[], ...[target, options]: Parameters<typeof csvWriter>) {
  const writer = csvWriter(target, options);
  for (const event of events) writer.observe(event);
}

describe('csvWriter', () => {
  it('names the cause if the file cannot be written', () => {
    expect(() => csvWriter(join(folder, 'missing', 'epochs.csv'))).toThrow(
      /^Cannot write '.*epochs\.csv': it does not exist\. Once that is fixed, run the same command again to resume\.$/,
    );
    expect(() => watch(runEvents(), folder)).toThrow(/it is a folder/);
  });

  it('writes a header and one row per epoch', () => {
    let text = '';
    watch(runEvents(), (row) => (text += row));
    expect(text).toBe(table);
  });

  it('writes validation accuracies, and continues a table of an earlier version without them', () => {
    const validated = runEvents().map((event) =>
      event.type === 'epoch-end' ? { ...event, validationAccuracy: 0.5, validationLoss: 2 } : event,
    );
    let text = '';
    watch(validated, (row) => (text += row));
    expect(text.split('\n')[1]).toBe('1,0.5,2,128,2097152,0.625,1,0.5,2,0.5,0.25');
    const earlier = table.replace(',validation_accuracy,validation_loss', '').replaceAll(',,,', ',');
    writeFileSync(file, earlier.split('\n').slice(0, 2).join('\n').concat('\n'));
    watch(runEvents(4), file, { keepRows: 1 });
    expect(readFileSync(file, 'utf8')).toBe(earlier);
  });

  it('writes the metric by which a run chooses epochs', () => {
    const metric = { name: 'meanIoU', lowerIsBetter: false };
    const measured = runEvents().map((event) =>
      event.type === 'epoch-end' ? { ...event, metric, testMetrics: { meanIoU: event.epoch / 8 } } : event,
    );
    let text = '';
    watch(measured, (row) => (text += row));
    const rows = splitCsvRecords(text).map((row) => row.split(',').slice(7, 12));
    expect(rows[0]).toEqual([
      'validation_accuracy',
      'validation_loss',
      'test_meanIoU',
      'validation_meanIoU',
      'loss_module0',
    ]);
    expect(rows.slice(1).map((row) => row.slice(2))).toEqual([
      ['0.125', '', '0.5'],
      ['0.25', '', '0.25'],
    ]);
  });

  it('appends after the rows of a checkpoint and removes rows that a killed process wrote later', () => {
    watch(runEvents(), file);
    appendFileSync(file, '3,0.2');
    watch(runEvents(4), file, { keepRows: 1 });
    expect(readFileSync(file, 'utf8')).toBe(table);
  });

  it('removes an incomplete row', () => {
    const [header, first, second = ''] = splitCsvRecords(table);
    writeFileSync(file, `${header}${first}${second.slice(0, 10)}`);
    watch(runEvents(4), file, { keepRows: 2 });
    expect(readFileSync(file, 'utf8')).toBe(table);
  });

  it('starts a new file without keepRows, or if the file is missing', () => {
    writeFileSync(file, 'something else');
    watch(runEvents(), file);
    expect(readFileSync(file, 'utf8')).toBe(table);
    rmSync(file);
    watch(runEvents(4), file, { keepRows: 1 });
    expect(splitCsvRecords(readFileSync(file, 'utf8'))).toHaveLength(2);
  });

  it('omits the header for a function target with keepRows', () => {
    const rows: string[] = [];
    watch(runEvents(4), (row) => rows.push(row), { keepRows: 1 });
    expect(rows).toEqual(splitCsvRecords(table).slice(2));
  });

  it('rejects a table with other columns and an invalid keepRows', () => {
    writeFileSync(file, 'a,b\n1,2\n');
    expect(() => watch(runEvents(4), file, { keepRows: 1 })).toThrow(`${file} has the columns a,b, but this epoch has`);
    expect(() => csvWriter(file, { keepRows: -1 })).toThrow("option 'keepRows' is -1");
  });

  it('leaves missing values empty', () => {
    let text = '';
    const untested = runEvents().flatMap((event): TrainingEvent[] => {
      if (event.type !== 'epoch-end') return [];
      const { testAccuracy, testLoss, ...rest } = event;
      return [rest];
    });
    watch(untested, (row) => (text += row));
    expect(splitCsvRecords(text)[1]).toBe('1,0.5,2,128,2097152,,,,,0.5,0.25\n');
  });
});

describe('csvRecord', () => {
  it.each([
    [['plain', 1.5e-7], 'plain,1.5e-7\n'],
    [['a,b', 'say "yes"', 'two\nlines', undefined], '"a,b","say ""yes""","two\nlines",\n'],
  ])('quotes %j as one record', (fields, line) => {
    expect(csvRecord(fields)).toBe(line);
    expect(splitCsvRecords(line + line)).toEqual([line, line]);
  });

  it('splits a quoted field of 16 MB, and omits a record without an end', () => {
    const line = csvRecord([`"\n${'x'.repeat(2 ** 24)}`, 1]);
    expect(splitCsvRecords(`a,b\n${line}"x\n`).map((record) => record.length)).toEqual([4, line.length]);
  });
});
