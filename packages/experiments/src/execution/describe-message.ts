import { printable } from '@localgrad/core';
import { formatMetric, formatSeconds } from '@localgrad/train';
import type { WorkerMessage } from './task-runner.js';

/** One line for a worker's message. Names and errors may contain control characters, which are escaped. */
export function describeMessage(message: Exclude<WorkerMessage, { type: 'progress' }>): string {
  return printable(lineOf(message));
}

function lineOf(message: Exclude<WorkerMessage, { type: 'progress' }>): string {
  switch (message.type) {
    case 'task-start':
      return `started   ${message.name}`;
    case 'problem':
      return `note      ${message.message}`;
    case 'task-end': {
      const { name, test } = message.metric ?? { name: 'accuracy', test: message.testAccuracy ?? null };
      const result = test === null ? '' : `  test ${name} ${formatMetric({ name }, test, 1)}`;
      const why = message.message === undefined ? '' : `: ${message.message}`;
      return `${message.outcome.padEnd(9)} ${message.name}  ${formatSeconds(message.seconds)}${result}${why}`;
    }
  }
}
