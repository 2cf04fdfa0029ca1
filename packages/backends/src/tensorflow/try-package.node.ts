import { type Trial, tryTensorflow } from '@localgrad/tensorflow-kernels';
import { findOptional } from '../optional-module.node.js';

/** Loads a native package in a separate process; undefined if it is not installed. */
export async function tryPackage(packageName: string): Promise<Trial | undefined> {
  const folder = await findOptional(packageName);
  return folder === undefined ? undefined : tryTensorflow(folder);
}
