import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type JsonObject, LocalgradError, readProblem } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { getBackend, io, type LayersModel, loadLayersModel, setBackend, tensor } from '@tensorflow/tfjs';
import { layerGraph } from '../layer-graph.js';
import { type LayerVariable, shapeOf } from '../layer-weights.js';
import { type LayersBackboneFactory, type LayersBackboneOptions, layersBackbone } from '../layers-backbone.js';
import { fail, type ModelJson, parseModelJson, storedBytes, type WeightGroup } from './model-json.js';

/** A model that was read from files. */
export interface LayersModelFile {
  /** Path of the `model.json`. */
  readonly file: string;
  /** Of the model and all its weights. */
  readonly sha256: string;
  /**
   * A factory of backbones with the layers and weights of the model.
   *
   * @param config of the backbone, from which its user rebuilds it; default: the model's name
   * @throws LocalgradError as `layersBackbone`
   */
  backbone(options?: LayersBackboneOptions, config?: JsonObject): LayersBackboneFactory;
  /** The model itself with the weights of the files, on the current backend; owned by the caller. */
  load(): Promise<LayersModel>;
}

/**
 * Reads a model of TensorFlow.js layers: `model.json` and its weight files, which lie in the same folder. Executes no code of
 * the files: layers of unknown classes are an error. The model occupies no tensors until it is built or loaded.
 *
 * @param file name in messages; default: the path
 * @throws LocalgradError `invalid-data` for unreadable, truncated and inconsistent files, graph models and unknown layers
 */
export async function readLayersModel(path: string, file = path): Promise<LayersModelFile> {
  const bytes = await readModelFile(path, file, file);
  const json = parseModelJson(new TextDecoder().decode(bytes), file);
  const hash = createHash('sha256').update(`${bytes.length}\n`).update(bytes);
  const weights: Uint8Array[] = [];
  for (const group of json.manifest) {
    for (const content of await readGroup(group, path, file)) {
      hash.update(`${content.length}\n`).update(content);
      weights.push(content);
    }
  }
  const load = () => loadFrom(json, weights, file);
  const { model, values } = await withoutTensors(await load());
  return {
    file: path,
    sha256: hash.digest('hex'),
    load,
    backbone: (options = {}, config) =>
      layersBackbone({
        ...options,
        model,
        readWeight: (variable) => tensor(values.get(variable) ?? new Float32Array(), shapeOf(variable), 'float32'),
        restore: load,
        ...(config === undefined ? {} : { config }),
      }),
  };
}

/** @param name of the file itself, @param file of the model that names it; both for messages */
async function readModelFile(path: string, name: string, file: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(path);
  } catch (cause) {
    const what = name === file ? `'${file}'` : `'${name}', which '${file}' names`;
    throw new LocalgradError('invalid-data', `Cannot read ${what}: ${readProblem(cause)}.`, { file: path }, { cause });
  }
}

/** The files of a group, which together have the size of its weights. */
async function readGroup({ paths, weights }: WeightGroup, model: string, file: string): Promise<Uint8Array[]> {
  const contents = await Promise.all(paths.map((path) => readModelFile(join(dirname(model), path), path, file)));
  const expected = weights.reduce((sum, entry) => sum + storedBytes(entry), 0);
  const found = contents.reduce((sum, { length }) => sum + length, 0);
  if (found !== expected) {
    const names = paths.map((path) => `'${path}'`).join(', ');
    const problem = found < expected ? 'truncated' : 'too long';
    throw fail(file, `its weights ${names} are ${problem}: ${found} bytes instead of ${expected}`);
  }
  return contents;
}

async function loadFrom(
  { topology, manifest, metadata }: ModelJson,
  weights: readonly Uint8Array[],
  file: string,
): Promise<LayersModel> {
  const artifacts: io.ModelArtifacts = {
    ...metadata,
    modelTopology: topology,
    weightSpecs: manifest.flatMap((group) => group.weights),
    weightData: weights.map((content) => Uint8Array.from(content).buffer),
  };
  // Without a backend, TensorFlow.js would start one of its choice.
  if (!getBackend()) await setBackend('cpu');
  try {
    return await loadLayersModel(io.fromMemory(artifacts));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const [, unknown] = /^Unknown layer: (.*?)\. /.exec(message) ?? [];
    throw fail(
      file,
      unknown === undefined ? message.replace(/\.$/, '') : `its layer class '${unknown}' is not one of TensorFlow.js`,
      cause,
    );
  }
}

/** Moves the values of a model out of its tensors, which are disposed. */
async function withoutTensors(model: LayersModel) {
  const values = new Map<LayerVariable, Float32Array>();
  try {
    for (const { layer } of layerGraph(model).nodes) {
      for (const variable of layer.weights) values.set(variable, Float32Array.from(await variable.read().data()));
    }
  } finally {
    model.dispose();
  }
  return { model, values };
}
