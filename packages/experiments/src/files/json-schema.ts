import { runConfigSchema } from '@localgrad/runs';
import { z } from 'zod';
import { experimentSchema } from './experiment-schema.js';

/** The JSON Schema of experiment files, with the keys of run configs in their places; for editors. */
export function experimentJsonSchema(): object {
  const own = z.toJSONSchema(experimentSchema, { io: 'input' });
  const run = z.toJSONSchema(runConfigSchema.omit({ seed: true }).partial(), { io: 'input' });
  const { properties: parts = {} } = own;
  const { base, grid, tune, include } = parts;
  const texts = Object.fromEntries(
    // A text with a place in it stands for any value until its factor is put in.
    Object.entries(run.properties ?? {}).map(([key, schema]) => [
      key,
      { anyOf: [schema, { type: 'string', pattern: '\\{.+\\}' }] },
    ]),
  );
  const config = { type: 'object', properties: texts, additionalProperties: false };
  const lists = Object.fromEntries(
    Object.entries(texts).map(([key, items]) => [key, { type: 'array', items, minItems: 1 }]),
  );
  return {
    ...own,
    properties: {
      ...parts,
      base: { ...objectOf(base), ...config },
      grid: { ...objectOf(grid), type: 'object', properties: lists, additionalProperties: false },
      tune: { ...objectOf(tune), type: 'object', properties: lists, additionalProperties: false },
      include: {
        ...objectOf(include),
        type: 'array',
        items: {
          ...config,
          properties: { name: { type: ['string', 'number', 'boolean'] }, ...texts },
          required: ['name'],
        },
      },
    },
  };
}

/** A schema may also be a truth value, which has no keys. */
function objectOf(schema: object | boolean | undefined): object {
  return typeof schema === 'object' ? schema : {};
}
