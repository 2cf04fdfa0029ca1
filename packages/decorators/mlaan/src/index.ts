export { type MlaanOptions, mlaan, withMlaan } from './mlaan.js';
