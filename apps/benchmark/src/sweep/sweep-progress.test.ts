import { describe, expect, it } from 'vitest';
import { SweepProgress } from './sweep-progress.js';

const counts = {
  waiting: 1,
  running: 0,
  finished: 0,
  interrupted: 0,
  stopped: 0,
  skipped: 0,
  failed: 0,
  unreadable: 0,
};

describe('SweepProgress', () => {
  it('counts each run once when several workers report its end', () => {
    const written: string[] = [];
    const stream = { write: (part: string) => void written.push(part) };
    const progress = new SweepProgress(stream, { needed: 4, counts: { ...counts, finished: 1 } });
    const end = { type: 'task-end', seconds: 1 } as const;
    progress.show(0, { ...end, index: 1, name: 'a', outcome: 'stopped' });
    progress.show(1, { ...end, index: 1, name: 'a', outcome: 'stopped' });
    progress.show(1, { ...end, index: 2, name: 'b', outcome: 'busy' });
    progress.show(0, { ...end, index: 2, name: 'b', outcome: 'finished' });
    progress.end();
    expect(written.map((line) => line.slice(0, 17))).toEqual(['[2/4] stopped   a', '[3/4] finished  b']);
  });

  it('escapes control characters in names and errors', () => {
    const written: string[] = [];
    const stream = { write: (part: string) => void written.push(part) };
    const progress = new SweepProgress(stream, { needed: 1, counts });
    progress.show(0, { type: 'task-start', index: 0, name: 'red\u001b[31m' });
    progress.show(0, {
      type: 'task-end',
      index: 0,
      name: 'red\u001b[31m',
      outcome: 'failed',
      seconds: 1,
      message: 'bell\u0007',
    });
    progress.end();
    const text = written.join('');
    expect(text).toContain('red\\x1b[31m');
    expect(text).toContain('bell\\x07');
    expect(text).toMatch(/^[^\p{Cc}]*\n$/u);
  });
});
