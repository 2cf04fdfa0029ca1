import type { JsonObject } from '@localgrad/core';

/** Options of an expression, for a function that rejects unknown names and wrong values itself. */
export function uncheckedOptions<Options>(options: JsonObject): Options {
  return options as Options;
}
