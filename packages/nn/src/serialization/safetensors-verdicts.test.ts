import { readFileSync } from 'node:fs';
import { LocalgradError } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from './safetensors.js';
import { otherTypes } from './stored-types.js';

/** Created by `scripts/safetensors-verdicts.py`. */
interface Verdict {
  readonly name: string;
  readonly accepted: boolean;
  readonly file: string;
}

const { reader, cases } = JSON.parse(
  readFileSync(new URL('./fixtures/safetensors-verdicts.json', import.meta.url), 'utf8'),
) as { reader: string; cases: Verdict[] };

function problemOf(file: string): string | undefined {
  try {
    readSafetensors(Buffer.from(file, 'base64'));
    return undefined;
  } catch (error) {
    if (!LocalgradError.isInstance(error) || error.code !== 'invalid-data') throw error;
    return error.message;
  }
}

describe(`files accepted and rejected by ${reader}`, () => {
  const isOther = ({ name }: Verdict) => otherTypes.has(name.replace('type ', ''));

  it.each(cases.filter((entry) => !isOther(entry)))('$name: accepted $accepted', ({ accepted, file }) => {
    const problem = problemOf(file);
    expect(problem === undefined, problem).toBe(accepted);
  });

  it.each(cases.filter(isOther))(
    '$name is valid but not supported: the message lists the supported types',
    ({ accepted, file }) => {
      expect(accepted).toBe(true);
      expect(problemOf(file)).toMatch(/has type \S+; F64, F32, F16, .* can be read\. Convert it/);
    },
  );
});
