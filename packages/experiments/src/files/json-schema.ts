import { runConfigSchema } from '@localgrad/runs';
import { z } from 'zod';
import { experimentSchema } from './experiment-schema.js';

/** The JSON Schema of experiment files, with the keys of run configs in their places; for editors. */
export function experimentJsonSchema(): object {
  const own = z.toJSONSchema(experimentSchema, { io: 'input' }) as { properties: Record<string, object> };
  const run = z.toJSONSchema(runConfigSchema.omit({ seed: true }).partial(), { io: 'input' }) as {
    properties: Record<string, object>;
  };
  const texts = Object.fromEntries(
    // A text with a place in it stands for any value until its factor is put in.
    Object.entries(run.properties).map(([key, schema]) => [
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
      ...own.properties,
      base: { ...own.properties.base, ...config },
      grid: { ...own.properties.grid, type: 'object', properties: lists, additionalProperties: false },
      include: {
        ...own.properties.include,
        type: 'array',
        items: { ...config, properties: { name: { type: 'string' }, ...texts }, required: ['name'] },
      },
    },
  };
}
