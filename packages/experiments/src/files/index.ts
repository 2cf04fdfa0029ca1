export {
  type Experiment,
  type ParseOptions,
  type PlannedCondition,
  parseExperiment,
  type RunSchema,
} from './experiment.js';
export { experimentKeys, experimentSchema } from './experiment-schema.js';
export { type ConfigIssue, explainIssues } from './issues.js';
export { parseYaml, readText, validate, type YamlDocument } from './yaml-document.js';
