import { stringify } from 'yaml';

/** A number with an exponent and no decimal point, at the end of a line. */
const bareExponent = /(?<=^(?:[ -]*|.*: ))(-?\d+)e([+-]\d+)$/gm;

/** A value as YAML 1.2 that readers of YAML 1.1 understand, too: to PyYAML, `5e-7` is text, and `5.0e-7` a number. */
export function yamlText(value: unknown): string {
  return stringify(value).replace(bareExponent, '$1.0e$2');
}
