export { type HpffOptions, hpff } from './hpff.js';
