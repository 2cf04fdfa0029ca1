import type { JsonObject } from '@localgrad/core';
import { checkNames, configProblemOf, readText, runConfigSchema } from '@localgrad/runs';
import { type Experiment, parseExperiment } from '../files/experiment.js';

/** Reads an experiment file. Names are resolved once, so that a wrong one is found before the first run. */
export async function readExperiment(file: string): Promise<Experiment> {
  return parseExperiment(await readText(file), file, { schema: runConfigSchema, check: checkConfig });
}

async function checkConfig(config: JsonObject) {
  try {
    await checkNames(runConfigSchema.parse(config));
    return undefined;
  } catch (error) {
    const found = configProblemOf(error);
    if (found === undefined) throw error;
    return { key: found.key, message: found.problem };
  }
}
