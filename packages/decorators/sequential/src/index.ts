export { type SequentialOptions, sequential, withSequential } from './sequential.js';
