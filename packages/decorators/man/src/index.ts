export { type ManOptions, man, withMan } from './man.js';
