import { LocalgradError } from '@localgrad/core';
import {
  type ConfigProblem,
  checkCuts,
  configProblemOf,
  explainIssues,
  parseYaml,
  type RunConfig,
  readRunFile,
  readText,
  runConfigKeys,
  runConfigSchema,
  withDecidedCuts,
} from '@localgrad/runs';
import { type Command, Option } from 'commander';
import { extentsOf } from '../extents.js';
import { addModelFlag, backboneOfModel, isModelTyped } from './model-flag.js';

type Key = keyof RunConfig;

/** `learningRate` → `learning-rate`, `nesterov` → `no-nesterov` */
export function flagOf(key: string): string {
  const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return isOnByDefault(key) ? `no-${name}` : name;
}

function isOnByDefault(key: string): boolean {
  const fields: Readonly<Record<string, { safeParse(value: unknown): { data?: unknown } }>> = runConfigSchema.shape;
  return fields[key]?.safeParse(undefined).data === true;
}

/** Keys whose values have one type: `number` or `boolean`. */
function keysOfType(type: string): readonly Key[] {
  return runConfigKeys.filter((key) => {
    const issue = runConfigSchema.shape[key].safeParse(Symbol()).error?.issues[0];
    return issue?.code === 'invalid_type' && issue.expected === type;
  });
}

const booleans = keysOfType('boolean');
const numbers = keysOfType('number');

/** Adds a flag for each of the keys to a command. */
export function addConfigFlags(command: Command, keys: readonly Key[] = runConfigKeys): Command {
  for (const key of keys) {
    const field = runConfigSchema.shape[key];
    const fallback = field.safeParse(undefined).data;
    const help = `${field.description ?? ''}${fallback === undefined ? '' : ` (default: ${String(fallback)})`}`;
    if (booleans.includes(key)) {
      const isOn = fallback === true;
      command.addOption(new Option(`--${flagOf(key)}`, isOn ? `disable ${field.description}` : field.description));
    } else {
      command.addOption(
        new Option(`--${flagOf(key)} <${numbers.includes(key) ? 'number' : 'value'}>`, help).argParser(parserOf(key)),
      );
    }
    if (key === 'backbone') addModelFlag(command);
  }
  return command;
}

/**
 * Flags over file over defaults.
 *
 * @param flags values by key, as commander hands them out; keys that are not the config's are ignored
 * @throws LocalgradError `invalid-option` that names the flag, `invalid-data` with file:line:column
 */
export async function resolveRunConfig(command: Command, file?: string, base: object = {}): Promise<RunConfig> {
  const given = Object.fromEntries(
    runConfigKeys.flatMap((key) => {
      const source = command.getOptionValueSource(key);
      return source === undefined || source === 'default' ? [] : [[key, command.getOptionValue(key) as unknown]];
    }),
  );
  const model = backboneOfModel(command);
  if (model !== undefined) given.backbone = model;
  const merged = { ...base, ...(file === undefined ? {} : await readRunFile(file)), ...given };
  const parsed = runConfigSchema.safeParse(merged);
  if (parsed.success) {
    // In `config.yaml`, earlier versions recorded the default beside the blocks per module.
    const isRecorded = given.modules === undefined && merged.modules === runConfigSchema.shape.modules.parse(undefined);
    const cuts = isRecorded ? { ...merged, modules: undefined } : merged;
    await withFlagNames(async () => checkCuts(cuts), command, file);
    return withDecidedCuts(parsed.data);
  }
  const messages = explainIssues(parsed.error, merged, runConfigKeys).map(
    ({ path, message }) => `--${flagOf(String(path[0]))}: ${message}`,
  );
  const problems = [...new Set(messages)];
  throw new LocalgradError('invalid-option', problems.join('\n'), { problems });
}

/**
 * Runs a command's work; errors about a key of the config name the flag that was typed, or the place in the file.
 */
export async function withFlagNames<Result>(
  work: () => Promise<Result>,
  command: Command,
  file: string | undefined,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const found = configProblemOf(error);
    if (found === undefined || !LocalgradError.isInstance(error)) throw error;
    const place = await placeOf(found.key, command, file);
    const problem = mentioned(found, command, file);
    throw new LocalgradError(error.code, `${place}: ${problem}`, { key: found.key, place }, { cause: error });
  }
}

/** The problem with flags in place of keys, except of keys that a file sets. */
function mentioned({ problem, mentions }: ConfigProblem, command: Command, file: string | undefined): string {
  return mentions
    .filter((key) => file === undefined || command.getOptionValueSource(key) === 'cli')
    .reduce((text, key) => text.replaceAll(new RegExp(`\\b${key}\\b`, 'g'), `--${flagOf(key)}`), problem);
}

async function placeOf(key: string, command: Command, file: string | undefined): Promise<string> {
  if (key === 'backbone' && isModelTyped(command)) return '--model';
  const isTyped = command.getOptionValueSource(key) === 'cli';
  if (isTyped || file === undefined) return `--${flagOf(key)}`;
  const document = parseYaml(await readText(file), file, runConfigKeys);
  return Object.hasOwn(document.value, key) ? `${document.at([key])}: ${key}` : `--${flagOf(key)}`;
}

function parserOf(key: Key): (text: string) => unknown {
  if (numbers.includes(key)) return asNumber;
  if (key === 'threads') return (text) => (text === 'auto' ? text : asNumber(text));
  if (key === 'resize') return (text) => (/^\d+[x×]\d+$/.test(text) ? extentsOf(text) : asNumber(text));
  if (key === 'partition') return (text) => (/^[\d,]+$/.test(text) ? text.split(',').map(Number) : text);
  return (text) => text;
}

/** A number, or the text itself, which the schema's message then shows. */
function asNumber(text: string): unknown {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) ? value : text;
}
