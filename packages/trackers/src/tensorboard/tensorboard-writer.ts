import { hostname } from 'node:os';
import { requireOption } from '@localgrad/core';
import type { Observer, TrainingEvent } from '@localgrad/train';
import { scalarsOf } from '../scalars.js';
import { histogramEvent, imageEvent, scalarsEvent, sessionStartEvent } from './event.js';
import { createEventFile, type EventFile } from './event-file.js';
import { histogramOf } from './histogram.js';
import { readPngHeader } from './png-header.js';

export interface TensorboardOptions {
  /** Folder of the run; created if missing. TensorBoard uses its path below `--logdir` as the run name. */
  readonly folder: string;
  /** Called at the end of every epoch; returns values by tag, e.g. weights. */
  readonly histograms?: () => Readonly<Record<string, ArrayLike<number>>>;
  /** Last part of the file name. Default: the host name. */
  readonly host?: string;
  /** Clock in seconds since 1970. */
  readonly now?: () => number;
}

export interface TensorboardWriter extends Observer {
  /** @param png content of a PNG file. @throws LocalgradError `invalid-data` for other content */
  addImage(tag: string, png: Uint8Array, step: number): void;
  /** Counts values in TensorFlow's default buckets. @throws LocalgradError `invalid-data` unless all are finite */
  addHistogram(tag: string, values: ArrayLike<number>, step: number): void;
}

/**
 * Writes a run to a TensorBoard event file: losses, their terms and the learning rate at each step whose losses are read,
 * and tests and costs per epoch. A resumed run starts another file and makes TensorBoard discard events that were written
 * after the checkpoint.
 */
export function tensorboardWriter(options: TensorboardOptions): TensorboardWriter {
  const { folder, histograms, host = hostname(), now = () => Date.now() / 1000 } = options;
  requireOption(folder !== '', 'tensorboardWriter', 'folder', folder, 'a path');
  let file: EventFile | undefined;
  let step = 0;

  const append = (encode: (time: { wallTime: number; step: number }) => Uint8Array, at: number) => {
    file ??= createEventFile(folder, host, now());
    file.append(encode({ wallTime: now(), step: at }));
  };
  const addHistogram = (tag: string, values: ArrayLike<number>, at: number) => {
    checkStep('addHistogram', at);
    const histogram = histogramOf(values, `Histogram '${tag}'`);
    append((time) => histogramEvent(time, tag, histogram), at);
  };
  const trackStep = (event: TrainingEvent) => {
    if (event.type === 'run-start') {
      step = event.resumedAtStep ?? 0;
      // Events of the step itself were written before its checkpoint.
      append(sessionStartEvent, step + 1);
    }
    if (event.type === 'step-end') step = event.step;
  };

  return {
    observe(event) {
      trackStep(event);
      const scalars = scalarsOf(event);
      if (scalars.length > 0) append((time) => scalarsEvent(time, scalars), step);
      if (event.type === 'epoch-end') {
        for (const [tag, values] of Object.entries(histograms?.() ?? {})) addHistogram(tag, values, step);
      }
    },
    addImage(tag, png, at) {
      checkStep('addImage', at);
      const header = readPngHeader(png, `Image '${tag}'`);
      append((time) => imageEvent(time, tag, png, header), at);
    },
    addHistogram,
  };
}

function checkStep(where: string, step: number): void {
  requireOption(Number.isSafeInteger(step) && step >= 0, where, 'step', step, 'an integer from 0');
}
