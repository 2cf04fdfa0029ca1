export { type CreatedPackage, createPackage, type PackageRequest } from './create-package.js';
export { type Kind, kinds, type Language, languages } from './kinds.js';
