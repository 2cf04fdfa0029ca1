export { type CsvWriterOptions, csvWriter } from './csv/csv-writer.js';
export {
  type TensorboardOptions,
  type TensorboardWriter,
  tensorboardWriter,
} from './tensorboard/tensorboard-writer.js';
