import { resolve } from 'node:path';
import { type JsonObject, LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { LayersBackboneOptions } from '@localgrad/layers';
import { readLayersModel } from '@localgrad/layers/files';
import type { Entry, Factories } from '../factories.js';
import type { ExternalModule } from './external-module.js';

/** Whether a backbone's name is the file of a model of TensorFlow.js layers. */
export function isLayersModel(name: string): boolean {
  return /\.json$/i.test(name);
}

/** A backbone from a file of a project, and its identity: the content of the model and its weights. */
export interface LoadedLayersModel {
  readonly entry: Entry<Factories['backbones']>;
  readonly module: ExternalModule;
}

const optionNames = ['cuts', 'statistics'] as const;

/** @throws LocalgradError `invalid-data`, `invalid-option` */
export async function loadLayersModel(name: string, project: string): Promise<LoadedLayersModel> {
  const file = await readLayersModel(resolve(project, name), name);
  return {
    entry: {
      description: `From '${name}'.`,
      options: optionNames,
      create: (options) => file.backbone(optionsOf(options, name), { backbone: name, ...options }),
    },
    module: { name, kind: 'file', version: null, hash: file.sha256 },
  };
}

function optionsOf(options: JsonObject, name: string): LayersBackboneOptions {
  if (Object.hasOwn(options, 'width')) {
    throw new LocalgradError('invalid-option', `Model '${name}' has fixed widths; omit the option 'width'.`, { name });
  }
  rejectUnknownKeys(`model '${name}'`, options, optionNames);
  const { cuts, statistics } = options;
  if (cuts !== undefined) requireOption(isNames(cuts), `model '${name}'`, 'cuts', cuts, 'a list of names of layers');
  if (statistics !== undefined) {
    const isKnown = statistics === 'layer' || statistics === 'pytorch';
    requireOption(isKnown, `model '${name}'`, 'statistics', statistics, 'layer, pytorch');
  }
  return {
    ...(isNames(cuts) ? { cuts } : {}),
    ...(statistics === 'layer' || statistics === 'pytorch' ? { statistics } : {}),
  };
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
