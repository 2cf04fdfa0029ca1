import type { Kind, Language } from './kinds.js';

export interface PackageDescription {
  readonly name: string;
  readonly kind: Kind;
  readonly language: Language;
}
