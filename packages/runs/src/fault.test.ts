import { LocalgradError } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { faultOf } from './fault.js';
import { rejectNewer } from './folder/newer-version.js';
import { explainWriteError } from './folder/write-errors.js';

const system = (code: string) => Object.assign(new Error(code), { code });

function newerVersion(): unknown {
  try {
    return rejectNewer({ formatVersion: 2 }, 'summary.json', 1);
  } catch (error) {
    return error;
  }
}

describe('faultOf', () => {
  it.each([
    ['machine', system('EMFILE')],
    ['machine', explainWriteError('x', system('ENOSPC'))],
    ['machine', new LocalgradError('invalid-data', 'cannot be read', {}, { cause: system('EIO') })],
    ['machine', new LocalgradError('backend-lost', 'gone')],
    ['machine', new LocalgradError('backend-unavailable', 'none')],
    ['machine', new LocalgradError('missing-dependency', 'no such file')],
    ['run', new LocalgradError('non-finite-loss', 'NaN')],
    ['run', new LocalgradError('invalid-plan', 'gap')],
    ['run', new LocalgradError('out-of-memory', 'too large')],
    ['unknown', new LocalgradError('invalid-data', 'damaged')],
    ['machine', newerVersion()],
    ['unknown', new TypeError('x is not a function')],
    ['unknown', Object.assign(new Error('module'), { code: 'ERR_MODULE_NOT_FOUND' })],
    ['unknown', 'text'],
  ] as const)('attributes an error to the %s (%#)', (fault, error) => {
    expect(faultOf(error)).toBe(fault);
  });
});
