import { stringify } from 'yaml';

/** A number with an exponent and no decimal point, at the end of a line. */
const bareExponent = /(?<=^(?:[ -]*|.*: ))(-?\d+)e([+-]\d+)$/gm;

/** Serializes a value as YAML 1.2 that YAML 1.1 readers also understand: to PyYAML, `5e-7` is text, and `5.0e-7` a number. */
export function yamlText(value: unknown): string {
  return stringify(value).replace(bareExponent, '$1.0e$2');
}
