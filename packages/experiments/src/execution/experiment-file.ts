import { createMethod } from '@localgrad/catalog';
import { type JsonObject, LocalgradError } from '@localgrad/core';
import { type RunConfig, readText, runConfigSchema } from '@localgrad/runs';
import { type Experiment, parseExperiment } from '../files/experiment.js';

/** Reads an experiment file; methods are made once, so that a wrong one is found before the first run. */
export async function readExperiment(file: string): Promise<Experiment> {
  return parseExperiment(await readText(file), file, { schema: runConfigSchema, check: checkConfig });
}

async function checkConfig(config: JsonObject) {
  const { method } = config as unknown as RunConfig;
  try {
    await createMethod(method);
    return undefined;
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return { key: 'method', message: `'${method}': ${error.message}` };
  }
}
