import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodeOf } from '@localgrad/core';
import { createFoldersSync } from '@localgrad/core/folders';
import { writing } from '../write-error.js';
import { versionEvent } from './event.js';
import { frameRecord } from './record.js';

/**
 * Creates `events.out.tfevents.<seconds>.<host>` in a folder, which is created if missing. TensorBoard reads the files of
 * a folder in the order of their names, so the seconds are later than those of all existing files, whatever the clock
 * says.
 *
 * @param wallTime seconds since 1970
 * @throws LocalgradError `invalid-option` if the file cannot be written
 */
export function createEventFile(folder: string, host: string, wallTime: number): EventFile {
  return writing(folder, () => createIn(folder, host, wallTime));
}

function createIn(folder: string, host: string, wallTime: number): EventFile {
  createFoldersSync(folder);
  const taken = readdirSync(folder).map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
  let seconds = Math.max(Math.floor(wallTime), ...taken.map((second) => second + 1));
  for (; ; seconds++) {
    const path = join(folder, `events.out.tfevents.${String(seconds).padStart(10, '0')}.${host}`);
    try {
      writeFileSync(path, frameRecord(versionEvent(wallTime)), { flag: 'wx' });
      return new EventFile(path);
    } catch (error) {
      // Created meanwhile by another process.
      if (errorCodeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** A file of framed events. */
export class EventFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Returns once the operating system has the event, so that it survives the process.
   *
   * @throws LocalgradError `invalid-option` if the file cannot be written
   */
  append(event: Uint8Array): void {
    writing(this.path, () => appendFileSync(this.path, frameRecord(event)));
  }
}
