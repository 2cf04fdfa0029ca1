import type { JsonObject } from '@localgrad/core';
import { checkCuts, checkNames, configProblemOf, readText, runConfigSchema } from '@localgrad/runs';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type Experiment, parseExperiment } from '../files/experiment.js';
import type { experimentSchema } from '../files/experiment-schema.js';

/**
 * Reads an experiment file. Names are resolved once, so that a wrong one is found before the first run.
 *
 * @param overrides values that replace some of the file's, as `path=value`
 */
export async function readExperiment(file: string, overrides: readonly string[] = []): Promise<Experiment> {
  return parseExperiment(await readText(file), file, { schema: runConfigSchema, check: checkConfig, overrides });
}

/**
 * An experiment from a program instead of a file: the same keys, with the same checks.
 *
 * @throws LocalgradError `invalid-data` that names everything that is wrong
 */
export async function createExperiment(input: z.input<typeof experimentSchema>): Promise<Experiment> {
  return parseExperiment(stringify(input), input.name, { schema: runConfigSchema, check: checkConfig });
}

async function checkConfig(config: JsonObject, given: Readonly<Record<string, unknown>>) {
  try {
    checkCuts(given);
    await checkNames(runConfigSchema.parse(config));
    return undefined;
  } catch (error) {
    const found = configProblemOf(error);
    if (found === undefined) throw error;
    return { key: found.key, message: found.problem };
  }
}
