import { describe, expect, it } from 'vitest';
import { closestFirst, LocalgradError, rejectUnknownKeys, requireOption, unknownName } from './errors.js';

describe('LocalgradError', () => {
  it('is recognized across copies of this package', () => {
    const cause = new Error('below');
    const error = new LocalgradError('invalid-data', 'message', { file: 'x' }, { cause });
    expect(LocalgradError.isInstance(error)).toBe(true);
    expect(error.cause).toBe(cause);
    const ofAnotherCopy = Object.defineProperty(new Error('x'), Symbol.for('localgrad.error'), { value: true });
    expect(LocalgradError.isInstance(ofAnotherCopy)).toBe(true);
    for (const other of [cause, null, undefined, 'text', {}]) expect(LocalgradError.isInstance(other)).toBe(false);
  });
});

describe('messages about names and options', () => {
  it('list the allowed names and suggest the closest one if it is similar enough', () => {
    const allowed = ['backprop', 'greedy', 'dgl'];
    expect(unknownName('method', 'gredy', allowed).message).toBe(
      "Unknown method 'gredy'. Did you mean 'greedy'? Allowed: backprop, greedy, dgl.",
    );
    expect(unknownName('method', 'infopro', allowed).message).toBe(
      "Unknown method 'infopro'. Allowed: backprop, greedy, dgl.",
    );
    expect(unknownName('method', 'DGL', allowed).message).toMatch(/^Unknown method 'DGL'\. Did you mean 'dgl'\?/);
    expect(unknownName('condition', 'x', ['dgl', 'dgl, window 3']).message).toMatch(/Allowed: dgl, 'dgl, window 3'\.$/);
    expect(closestFirst('dgi', allowed)).toEqual(['dgl', 'greedy', 'backprop']);
    expect(allowed).toEqual(['backprop', 'greedy', 'dgl']);
  });

  it('state which object the unknown option belongs to', () => {
    expect(() => rejectUnknownKeys('dgl', { haed: 1 }, ['head'])).toThrow(/option of dgl 'haed'.*'head'/);
    expect(() => rejectUnknownKeys('dgl', { head: 1 }, ['head'])).not.toThrow();
    expect(() => rejectUnknownKeys('greedy', { head: 1 }, [])).toThrow(
      "Unknown option of greedy 'head'. Allowed: none.",
    );
    expect(() => requireOption(false, 'sgd', 'momentum', 2, '0 to 1')).toThrow(
      "sgd: option 'momentum' is 2; allowed: 0 to 1.",
    );
    expect(() => requireOption(false, 'sgd', 'name', 'x', 'y')).toThrow("is 'x'; allowed");
    expect(() => requireOption(false, 'sgd', 'name', undefined, 'y')).toThrow('is undefined; allowed');
    expect(() => requireOption(true, 'sgd', 'name', 'x', 'y')).not.toThrow();
  });
});
