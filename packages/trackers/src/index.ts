export { maskCredentials } from './credentials.js';
export { type CsvWriterOptions, csvWriter } from './csv/csv-writer.js';
export { splitCsvRecords } from './csv/records.js';
export { type MlflowOptions, type MlflowTracker, mlflowTracker } from './mlflow/mlflow-tracker.js';
export {
  type TensorboardOptions,
  type TensorboardWriter,
  tensorboardWriter,
} from './tensorboard/tensorboard-writer.js';
