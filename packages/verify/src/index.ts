export { type VerifyReport, verify } from './verify.js';
