export { type HpffOptions, hpff, hpffOptionNames } from './hpff.js';
