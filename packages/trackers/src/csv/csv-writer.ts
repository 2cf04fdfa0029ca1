import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { LocalgradError, requireOption, shortened } from '@localgrad/core';
import { type EpochEndEvent, metricValue, type Observer } from '@localgrad/train';
import { writing } from '../write-error.js';
import { csvRecord, splitCsvRecords } from './records.js';

export interface CsvWriterOptions {
  /**
   * Number of completed epochs when resuming: the file keeps this many rows, and rows that an interrupted process wrote
   * after the checkpoint are removed. Default 0: the file is overwritten.
   */
  readonly keepRows?: number;
}

const epochColumns: Readonly<Record<string, (event: EpochEndEvent) => number | undefined>> = {
  epoch: ({ epoch }) => epoch,
  learning_rate: ({ learningRate }) => learningRate,
  seconds: ({ seconds }) => seconds,
  images_per_second: ({ imagesPerSecond }) => imagesPerSecond,
  peak_bytes: ({ peakBytes }) => peakBytes,
  test_accuracy: ({ testAccuracy }) => testAccuracy,
  test_loss: ({ testLoss }) => testLoss,
  validation_accuracy: ({ validationAccuracy }) => validationAccuracy,
  validation_loss: ({ validationLoss }) => validationLoss,
};

/** Of runs that choose epochs by another metric than accuracy. */
function metricColumns(event: EpochEndEvent): Readonly<Record<string, number | undefined>> {
  const { metric } = event;
  if (metric === undefined || metric.name === 'loss') return {};
  return {
    [`test_${metric.name}`]: metricValue(event, 'test', metric),
    [`validation_${metric.name}`]: metricValue(event, 'validation', metric),
  };
}

/**
 * Writes a table with one row per epoch and a column `loss_<objective>` for the mean loss of each objective. A run that
 * chooses epochs by another metric than accuracy also has columns for it, e.g. `test_meanIoU`. Accuracies are in [0, 1]; missing values, e.g. of an epoch without a test, are empty.
 *
 * @param target file, or function that receives each row with its line end (preceded by the header unless `keepRows` is set)
 * @throws LocalgradError `invalid-option`, also for a file that cannot be written; `invalid-data` for an epoch whose objectives differ from the header
 */
export function csvWriter(target: string | ((text: string) => void), options: CsvWriterOptions = {}): Observer {
  const { keepRows = 0 } = options;
  const isCount = Number.isSafeInteger(keepRows) && keepRows >= 0;
  requireOption(isCount, 'csvWriter', 'keepRows', keepRows, 'an integer from 0');
  const name = typeof target === 'string' ? target : 'The table';
  const write =
    typeof target === 'string' ? (text: string) => writing(target, () => appendFileSync(target, text)) : target;
  let header = typeof target === 'string' ? writing(target, () => continueFile(target, keepRows)) : undefined;
  let isHeaderWritten = header !== undefined || (typeof target !== 'string' && keepRows > 0);
  return {
    observe(event) {
      if (event.type !== 'epoch-end') return;
      const own = columnsUnder(header);
      const measured = metricColumns(event);
      const losses = Object.keys(event.losses).map((id) => `loss_${id}`);
      const columns = csvRecord([...own, ...Object.keys(measured), ...losses]);
      header ??= columns;
      if (columns !== header) throw otherColumns(name, header, columns);
      const row = csvRecord([
        ...own.map((column) => epochColumns[column]?.(event)),
        ...Object.values(measured),
        ...Object.values(event.losses),
      ]);
      write(isHeaderWritten ? row : header + row);
      isHeaderWritten = true;
    },
  };
}

/** The columns before those of losses; tables of earlier versions, which knew no validation images, keep theirs. */
function columnsUnder(header: string | undefined): string[] {
  const names = Object.keys(epochColumns);
  const isEarlier = header !== undefined && !header.includes('validation_loss');
  return isEarlier ? names.filter((name) => !name.startsWith('validation_')) : names;
}

/** Truncates a file to its header and `rows` rows, in place: a full disk or an interruption loses no row. Returns the header, if any. */
function continueFile(file: string, rows: number): string | undefined {
  const records = rows > 0 && existsSync(file) ? splitCsvRecords(readFileSync(file, 'utf8')) : [];
  const kept = records.slice(0, rows + 1).join('');
  if (kept === '') writeFileSync(file, '');
  else truncateSync(file, Buffer.byteLength(kept));
  return records[0];
}

function otherColumns(name: string, header: string, columns: string): LocalgradError {
  const shown = (line: string) => shortened(line.trimEnd(), 1000);
  return new LocalgradError(
    'invalid-data',
    `${name} has the columns ${shown(header)}, but this epoch has ${shown(columns)}. ` +
      'Rows can only be appended below their own header; choose another file.',
    { header: shown(header), columns: shown(columns) },
  );
}
