import type { Option } from 'commander';

/** Description of an option for `--help`: choices and defaults are printed as the user would type them. */
export function optionDescription(option: Option): string {
  const facts = [choicesOf(option), defaultOf(option)].filter((fact) => fact !== undefined).join('; ');
  return facts === '' ? option.description : `${option.description} (${facts})`;
}

function choicesOf({ argChoices }: Option): string | undefined {
  return argChoices === undefined ? undefined : `choices: ${argChoices.join(', ')}`;
}

function defaultOf({ defaultValue, defaultValueDescription }: Option): string | undefined {
  if (defaultValueDescription !== undefined) return `default: ${defaultValueDescription}`;
  if (defaultValue === undefined || typeof defaultValue === 'boolean') return undefined;
  const typed = Array.isArray(defaultValue) ? defaultValue.join(',') : String(defaultValue);
  return typed === '' ? undefined : `default: ${typed}`;
}
