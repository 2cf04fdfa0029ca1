import { type JsonObject, type JsonValue, LocalgradError } from '@localgrad/core';

/** A method by name, before it is created; parsed from an expression or a config. */
export interface MethodRequest {
  readonly name: string;
  readonly of?: MethodRequest;
  readonly options: JsonObject;
}

/** `{ decorator: 'mlm', of: { method: 'dgl' }, window: 3 }` → name, options, and the wrapped method. */
export function requestOf(config: JsonValue | undefined): MethodRequest {
  if (typeof config !== 'object' || config === null || isList(config)) throw wrongConfig(config);
  const { method, decorator, of, ...options } = config;
  if (typeof method === 'string' && decorator === undefined && of === undefined) return { name: method, options };
  if (typeof decorator === 'string' && method === undefined) {
    return { name: decorator, of: requestOf(of), options };
  }
  throw wrongConfig(config);
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function wrongConfig(config: JsonValue | undefined): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `${JSON.stringify(config)} is not a method config; allowed: { method: name, …options } and { decorator: name, of: config, …options }.`,
    { config },
  );
}
