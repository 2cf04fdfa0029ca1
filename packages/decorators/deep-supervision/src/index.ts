export { type DeepSupervisionOptions, deepSupervision, withDeepSupervision } from './deep-supervision.js';
