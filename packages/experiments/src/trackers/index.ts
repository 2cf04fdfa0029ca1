export {
  type TensorboardOptions,
  type TensorboardWriter,
  tensorboardWriter,
} from './tensorboard/tensorboard-writer.js';
