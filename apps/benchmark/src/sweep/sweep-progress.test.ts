import { describe, expect, it } from 'vitest';
import { SweepProgress } from './sweep-progress.js';

describe('SweepProgress', () => {
  it('escapes control characters in names and errors', () => {
    const written: string[] = [];
    const stream = { write: (part: string) => void written.push(part) };
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
