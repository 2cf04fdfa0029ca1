import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configProblemOf } from './config-error.js';
import { checkCuts, withDecidedCuts } from './explicit-partition.js';
import { resolveConfig } from './resolve-config.js';
import { runConfigSchema } from './run-config.js';

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 });

describe('an explicit partition', () => {
  it('determines the number of modules', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), (partition, modules) => {
        expect(resolveConfig({ partition }).modules).toBe(partition.length);
        const given = { partition, modules };
        if (modules === partition.length) expect(resolveConfig(given)).toMatchObject(given);
        else
          expect(() => resolveConfig(given)).toThrow(`modules: ${modules}, but partition ${partition.join(',')} has`);
      }),
    );
  });

  it('rejects the default number of modules, too, if it was given', () => {
    const { modules } = runConfigSchema.parse({});
    expect(() => checkCuts({ modules, partition: [2, 2, 3] })).toThrow(
      'modules: 4, but partition 2,2,3 has 3 modules; remove one of the two.',
    );
  });

  it.each([[[2, 2, 3]], ['published' as const], ['published:hpff' as const]])(
    '%s leaves stemModule without effect',
    (partition) => {
      try {
        checkCuts({ stemModule: 'own', partition });
        expect.unreachable();
      } catch (error) {
        expect(configProblemOf(error)).toEqual({
          key: 'stemModule',
          problem: `has no effect with partition ${partition}, which places the stem; remove it.`,
          mentions: ['partition'],
        });
      }
      expect(withDecidedCuts({ stemModule: 'own', partition })).not.toHaveProperty('stemModule');
    },
  );

  it('leaves configs alone whose blocks are divided by a rule', () => {
    const given = { modules: 5, stemModule: 'own', partition: 'balanced-memory' } as const;
    checkCuts(given);
    expect(withDecidedCuts(given)).toEqual(given);
    expect(withDecidedCuts({ modules: 5, partition: 'published' as const })).toMatchObject({ modules: 5 });
  });
});
