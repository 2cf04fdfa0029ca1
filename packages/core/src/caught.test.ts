import { describe, expect, it } from 'vitest';
import { errorCodeOf, locatedMessageOf, messageOf } from './caught.js';
import { LocalgradError } from './errors.js';

describe('messageOf', () => {
  it('returns the message of an error, and the text of any other thrown value', () => {
    expect([new Error('no space'), 'text', undefined].map(messageOf)).toEqual(['no space', 'text', 'undefined']);
  });
});

describe('locatedMessageOf', () => {
  it('adds the file and line that threw an error, without folders', () => {
    const thrown = Object.assign(new TypeError('x is not a function'), {
      stack:
        'TypeError: x is not a function\n    at Object.plan (file:///home/me/my%20study/own.mjs:3:14)\n    at run (b.js:1:1)',
    });
    expect(locatedMessageOf(thrown)).toBe('x is not a function (own.mjs:3:14)');
    const anonymous = Object.assign(new Error('no'), { stack: 'Error: no\n    at C:\\study\\own.mjs:2:5' });
    expect(locatedMessageOf(anonymous)).toBe('no (own.mjs:2:5)');
  });

  it('leaves errors alone that say where they arose, and values without a stack', () => {
    const full = Object.assign(new Error('no space left, write'), { code: 'ENOSPC' });
    const own = new LocalgradError('misuse', 'wrong');
    const bare = Object.assign(new Error('bare'), { stack: undefined });
    expect([full, own, bare, 'text'].map(locatedMessageOf)).toEqual(['no space left, write', 'wrong', 'bare', 'text']);
  });
});

describe('errorCodeOf', () => {
  it('returns codes that are text, and undefined for errors and values without one', () => {
    const missing = Object.assign(new Error('missing'), { code: 'ENOENT' });
    const numbered = Object.assign(new Error('numbered'), { code: 7 });
    expect([missing, numbered, new Error('plain'), null].map(errorCodeOf)).toEqual([
      'ENOENT',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
