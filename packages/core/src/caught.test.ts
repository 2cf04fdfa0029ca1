import { describe, expect, it } from 'vitest';
import { errorCodeOf, messageOf } from './caught.js';

describe('messageOf', () => {
  it('returns the message of an error, and the text of any other thrown value', () => {
    expect([new Error('no space'), 'text', undefined].map(messageOf)).toEqual(['no space', 'text', 'undefined']);
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
