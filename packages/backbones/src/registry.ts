import { type BackboneFactory, unknownName } from '@localgrad/core';
import { cifarResNet } from './resnet.js';
import { tinyNet } from './tiny-net.js';

/** Options of all named backbones; each rejects those of the others. */
export interface NamedBackboneOptions {
  readonly width?: number;
  /** ResNets: widths of stem and three stages. */
  readonly widths?: readonly [stem: number, stage1: number, stage2: number, stage3: number];
  /** `tiny`: residual blocks. */
  readonly blocks?: number;
}

/** The names that `backboneFactory` knows; any other `resnet<6n+2>` works too. */
export const backboneNames = [
  'resnet8',
  'resnet14',
  'resnet20',
  'resnet32',
  'resnet44',
  'resnet56',
  'resnet110',
  'tiny',
] as const;

/** A backbone by its name: `resnet32`, `tiny`. @throws LocalgradError `unknown-name` */
export function backboneFactory(name: string, options: NamedBackboneOptions = {}): BackboneFactory {
  const depth = /^resnet(\d+)$/.exec(name)?.[1];
  if (depth !== undefined) return cifarResNet({ depth: Number(depth), ...options });
  if (name === 'tiny') return tinyNet(options);
  throw unknownName('backbone', name, backboneNames);
}
