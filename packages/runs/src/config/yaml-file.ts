import { readText } from '../yaml/read-text.js';
import { parseYaml, validate } from '../yaml/yaml-document.js';
import { insteadOfKey } from './flags-only.js';
import { runConfigKeys, runConfigSchema } from './run-config.js';

/**
 * Reads a run's YAML file. Defaults are not filled in.
 *
 * @throws LocalgradError `invalid-data`, that lists every problem with `file:line:column`
 */
export async function readRunFile(file: string): Promise<Record<string, unknown>> {
  return parseRunFile(await readText(file), file);
}

/** @param file name for messages */
export function parseRunFile(text: string, file: string): Record<string, unknown> {
  const document = parseYaml(text, file, runConfigKeys);
  validate(document, runConfigSchema, runConfigKeys, insteadOfKey);
  return document.value;
}
