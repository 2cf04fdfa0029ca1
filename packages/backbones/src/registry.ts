import { type BackboneFactory, unknownName } from '@localgrad/core';
import { type MlpOptions, mlp } from './mlp.js';
import { cifarResNet } from './resnet.js';
import { tinyNet } from './tiny-net.js';

/** Options of all named backbones; each backbone rejects options that do not apply to it. */
export interface NamedBackboneOptions extends MlpOptions {
  /** Channels of the first stage, or units of a hidden layer. */
  readonly width?: number;
  /** ResNets: widths of stem and three stages. */
  readonly widths?: readonly [stem: number, stage1: number, stage2: number, stage3: number];
  /** `tiny`: number of residual blocks. */
  readonly blocks?: number;
}

/** Names accepted by `backboneFactory`, in addition to any other `resnet<6n+2>`. */
export const backboneNames = [
  'resnet8',
  'resnet14',
  'resnet20',
  'resnet32',
  'resnet44',
  'resnet56',
  'resnet110',
  'mlp',
  'tiny',
] as const;

/** Creates a backbone factory by name, e.g. `resnet32` or `tiny`. @throws LocalgradError `unknown-name` */
export function backboneFactory(name: string, options: NamedBackboneOptions = {}): BackboneFactory {
  const depth = /^resnet(\d+)$/.exec(name)?.[1];
  if (depth !== undefined) return cifarResNet({ depth: Number(depth), ...options });
  if (name === 'mlp') return mlp(options);
  if (name === 'tiny') return tinyNet(options);
  throw unknownName('backbone', name, backboneNames);
}
