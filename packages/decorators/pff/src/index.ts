export { type PffOptions, pff, pffOptionNames, withPff } from './pff.js';
