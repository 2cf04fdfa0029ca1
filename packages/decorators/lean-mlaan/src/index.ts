export { type LeanMlaanOptions, leanMlaan, withLeanMlaan } from './lean-mlaan.js';
