export { type ConfigIssue, explainIssues, parseYaml, readText, validate, type YamlDocument } from '@localgrad/runs';
export {
  type EarlyStopping,
  type Experiment,
  type ParseOptions,
  type PlannedCondition,
  parseExperiment,
  type RunSchema,
} from './experiment.js';
export { experimentKeys, experimentSchema } from './experiment-schema.js';
export { experimentJsonSchema } from './json-schema.js';
