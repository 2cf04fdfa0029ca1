import { LocalgradError, printable, shortened } from '@localgrad/core';
import { configProblemOf } from '@localgrad/runs';
import { enableProdMode } from '@tensorflow/tfjs';
import { Command, CommanderError } from 'commander';
import { registerBench } from './commands/bench/index.js';
import { registerData } from './commands/data/index.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerExplain } from './commands/explain.js';
import { registerQuickstart } from './commands/quickstart.js';
import { registerReport } from './commands/report.js';
import { registerSetup } from './commands/setup.js';
import { registerSweep } from './commands/sweep/index.js';
import { registerTrain } from './commands/train.js';
import { registerVerify } from './commands/verify.js';
import { registerWeights } from './commands/weights.js';
import { registerWorker } from './commands/worker.js';
import { flagOf } from './config/flags.js';
import { optionDescription } from './help.js';
import type { Presenter } from './present.js';
import { type Terminal, watchedSignal } from './terminal.js';
import { version } from './version.js';

/** Maximum number of characters of an error message. */
const longestMessage = 20_000;

// Without it TensorFlow.js prints an advertisement to stderr.
enableProdMode();

/**
 * Runs the command `localgrad`.
 *
 * @param args without the program's name
 * @returns exit code: 0 done, 1 failed, 2 wrong usage, 3 the run diverged, 130 interrupted
 */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let json = args.includes('--json');
  let exitCode = 0;
  const present: Presenter = async (work, render) => {
    const result = await work();
    if (holds(result, 'passed', false)) exitCode = 1;
    if (holds(result, 'status', 'diverged')) exitCode = 3;
    // Names of folders, classes and tensors may contain control characters.
    terminal.stdout.write(`${json ? JSON.stringify(result, null, 2) : printable(render(result))}\n`);
  };
  const { watched, unwatched } = watchedSignal(terminal);
  const program = createProgram(watched, present);
  program.hook('preAction', (_, action) => {
    json = action.opts().json === true;
    rejectEmptyValues(action);
  });
  try {
    await Promise.race([program.parseAsync([...args], { from: 'user' }), unwatched]);
    return exitCode;
  } catch (error) {
    return report(error, program, args, terminal, json);
  }
}

function holds(result: unknown, key: string, value: unknown): boolean {
  return typeof result === 'object' && result !== null && Reflect.get(result, key) === value;
}

/** Empty values are unset variables of a shell, not the wish to use the current folder. @throws LocalgradError */
function rejectEmptyValues(command: Command): void {
  const isTyped = ([key]: [string, unknown]) => command.getOptionValueSource(key) === 'cli';
  const given = Object.entries(command.opts())
    .filter(isTyped)
    .map(([key, value]) => ({ name: `--${flagOf(key)}`, value }));
  const positional = command.registeredArguments.map((argument, index) => ({
    name: `Argument '${argument.name()}'`,
    value: command.args[index],
  }));
  for (const { name, value } of [...given, ...positional]) {
    if (value !== '' && !isEmptyList(value)) continue;
    const hint = name === '--output' || name === '--folder' ? `Name a folder, or omit ${name}` : 'Give a value';
    throw new LocalgradError('invalid-option', `${name} is empty: perhaps an unset variable. ${hint}.`);
  }
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The command line with all of its commands, before any arguments are parsed. */
export function createProgram(terminal: Terminal, present: Presenter): Command {
  const program = new Command('localgrad')
    .description('Supervised local learning on TensorFlow.js: train, compare, explain and measure.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError(true)
    .configureHelp({ optionDescription })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
      getOutHelpWidth: () => terminal.stdout.columns ?? 100,
      getErrHelpWidth: () => terminal.stderr.columns ?? 100,
      outputError: () => {},
    })
    .addHelpText('after', '\nStart with:\n  localgrad quickstart');
  registerQuickstart(program, terminal, present);
  registerTrain(program, terminal, present);
  registerSweep(program, terminal, present);
  registerWorker(program, terminal, present);
  registerReport(program, terminal, present);
  registerEvaluate(program, terminal, present);
  registerExplain(program, present);
  registerBench(program, terminal, present);
  registerVerify(program, present);
  registerData(program, terminal, present);
  registerWeights(program, present);
  registerDoctor(program, present);
  registerSetup(program, terminal, present);
  for (const command of leaves(program))
    command.option('--json', 'print one JSON document on stdout and nothing else there');
  return program;
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function report(error: unknown, program: Command, args: readonly string[], terminal: Terminal, json: boolean): number {
  const fail = (code: string, text: string, details: object, exitCode: number) => {
    // It may quote user input.
    const message = printable(
      shortened(
        text.replace(/\S{300,}/g, (word) => shortened(word)),
        longestMessage,
      ),
    );
    terminal.stderr.write(`localgrad: ${message}\n`);
    if (json) {
      const shorter = (_: string, value: unknown) =>
        typeof value === 'string' ? shortened(value, longestMessage) : value;
      terminal.stdout.write(`${JSON.stringify({ error: { code, message, details } }, shorter, 2)}\n`);
    }
    return exitCode;
  };
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return 2;
    const message = error.message.replace(/^error: /, '');
    return fail('usage', `${message}${allowed(error, program, args)}`, {}, 2);
  }
  if (terminal.signal?.aborted === true && error === terminal.signal.reason) {
    return fail('interrupted', 'interrupted; everything written so far is complete.', {}, 130);
  }
  if (LocalgradError.isInstance(error)) {
    const isUsage = error.code === 'unknown-name' || error.code === 'invalid-option';
    const found = configProblemOf(error);
    const message = found === undefined ? error.message : `--${flagOf(found.key)}: ${found.problem}`;
    return fail(error.code, message, error.details, isUsage ? 2 : 1);
  }
  if (isSystemError(error)) {
    const isFolderGone = error.syscall === 'uv_cwd';
    const problem = isFolderGone ? 'The current folder no longer exists. Change to another folder' : error.message;
    return fail('system', `${problem}.`, { code: error.code }, 1);
  }
  const { stack, message } = error instanceof Error ? error : new Error(String(error));
  return fail('internal', `unexpected error: ${message}\n${stack ?? ''}`, {}, 1);
}

/** A failure of the file system or the network, whose stack trace would not help. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** What is allowed instead: the allowed names for a wrong one, the choices of a missing option. */
function allowed(error: CommanderError, program: Command, args: readonly string[]): string {
  let command = program;
  for (const arg of args) {
    const next = command.commands.find((candidate) => candidate.name() === arg);
    if (next === undefined) break;
    command = next;
  }
  const path = command === program ? '' : ` ${args.slice(0, depth(command)).join(' ')}`;
  const help = `See localgrad${path} --help.`;
  if (error.code === 'commander.unknownCommand' || command.commands.length > 0) {
    return `\nCommands: ${command.commands.map((candidate) => candidate.name()).join(', ')}. ${help}`;
  }
  if (error.code === 'commander.unknownOption') {
    return `\nOptions: ${command.options.map((option) => option.long).join(', ')}. ${help}`;
  }
  const choices = command.options.find(({ flags }) => error.message.includes(`'${flags}'`))?.argChoices;
  const isNamed = choices === undefined || error.message.includes('Allowed choices');
  const end = error.message.endsWith('.') ? ' ' : '. ';
  return isNamed ? `${end}${help}` : `${end}Allowed: ${choices.join(', ')}. ${help}`;
}

function depth(command: Command): number {
  return command.parent === null ? 0 : 1 + depth(command.parent);
}
