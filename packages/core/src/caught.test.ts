import { describe, expect, it } from 'vitest';
import { callOwn, errorCodeOf, locatedMessageOf, messageOf } from './caught.js';
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

  it('prefers the line of the user to those of installed packages and of Node', () => {
    const stack = [
      'Error: shapes differ',
      '    at matMul (/home/me/node_modules/@tensorflow/tfjs/dist/tf.node.js:100:11)',
      '    at node:internal/modules/run_main:5:1',
      '    at build (file:///home/me/own.mjs:7:3)',
    ].join('\n');
    expect(locatedMessageOf(Object.assign(new Error('shapes differ'), { stack }))).toBe('shapes differ (own.mjs:7:3)');
    const inside = Object.assign(new Error('shapes differ'), { stack: stack.split('\n').slice(0, 3).join('\n') });
    expect(locatedMessageOf(inside)).toBe('shapes differ (tf.node.js:100:11)');
  });

  it('names the line of a syntax error, which Node puts above the message', () => {
    const stack =
      "file:///home/me/own.mjs:2\n  => 3;\n  ^^\n\nSyntaxError: Unexpected token '=>'\n    at node:internal/x:1:2";
    const error = Object.assign(new SyntaxError("Unexpected token '=>'"), { stack });
    expect(locatedMessageOf(error)).toBe("Unexpected token '=>' (own.mjs:2)");
  });

  it('leaves errors alone that say where they arose, and values without a stack', () => {
    const full = Object.assign(new Error('no space left, write'), { code: 'ENOSPC' });
    const own = new LocalgradError('misuse', 'wrong');
    const bare = Object.assign(new Error('bare'), { stack: undefined });
    expect([full, own, bare, 'text'].map(locatedMessageOf)).toEqual(['no space left, write', 'wrong', 'bare', 'text']);
  });
});

describe('callOwn', () => {
  it('passes on results, and errors that explain themselves', () => {
    expect(callOwn('Mine', () => 3)).toBe(3);
    const own = new LocalgradError('invalid-option', 'wrong');
    const system = Object.assign(new Error('no space left, write'), { code: 'ENOSPC' });
    for (const error of [own, system]) {
      const fail = () => {
        throw error;
      };
      expect(() => callOwn('Mine', fail)).toThrow(error);
    }
  });

  it('names the function that failed, with the line', () => {
    const fail = () => {
      throw new TypeError('x is not a function');
    };
    expect(() => callOwn('Mine', fail)).toThrow(/^Mine failed: x is not a function \(caught\.test\.ts:\d+:\d+\)$/);
    expect(() => callOwn('Mine', fail, 'invalid-data')).toThrow(expect.objectContaining({ code: 'invalid-data' }));
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
