import { LocalgradError, shortened } from '@localgrad/core';
import type { io } from '@tensorflow/tfjs';

/** The parts of a `model.json` that describe its weights. */
export interface ModelJson {
  readonly topology: object;
  readonly manifest: readonly WeightGroup[];
  readonly metadata: Pick<io.ModelArtifacts, 'format' | 'generatedBy' | 'convertedBy' | 'userDefinedMetadata'>;
}

/** Weights whose bytes are the concatenation of several files. */
export interface WeightGroup {
  /** Relative to the folder of the `model.json`. */
  readonly paths: readonly string[];
  readonly weights: readonly io.WeightsManifestEntry[];
}

/** @param file name for messages. @throws LocalgradError `invalid-data` */
export function parseModelJson(text: string, file: string): ModelJson {
  const content = record(parse(text, file));
  if (content === undefined) throw fail(file, "it is not an object with 'modelTopology'");
  const { modelTopology, weightsManifest } = content;
  const topology = record(modelTopology);
  const isGraph = content.format === 'graph-model' || Array.isArray(topology?.node);
  if (isGraph) {
    throw fail(
      file,
      'it is a graph model, which has operations instead of layers and cannot be trained. Convert the Keras model itself: tensorflowjs_converter --input_format keras, or tfjs.converters.save_keras_model',
    );
  }
  if (topology === undefined) {
    const keys = Object.keys(content).slice(0, 5).join(', ') || 'none';
    throw fail(file, `it has no 'modelTopology'; its keys: ${shortened(keys)}`);
  }
  if (!Array.isArray(weightsManifest) || weightsManifest.length === 0) {
    throw fail(file, "it has no weights ('weightsManifest')");
  }
  const { format, generatedBy, convertedBy, userDefinedMetadata } = content;
  return {
    topology,
    manifest: weightsManifest.map((group: unknown) => groupOf(group, file)),
    metadata: {
      ...(typeof format === 'string' ? { format } : {}),
      ...(typeof generatedBy === 'string' ? { generatedBy } : {}),
      ...(typeof convertedBy === 'string' ? { convertedBy } : {}),
      ...(isMetadata(userDefinedMetadata) ? { userDefinedMetadata } : {}),
    },
  };
}

/** An error about a model file. */
export function fail(file: string, problem: string, cause?: unknown): LocalgradError {
  return new LocalgradError(
    'invalid-data',
    `'${file}' is not a usable model of TensorFlow.js layers: ${problem}.`,
    { file },
    { cause },
  );
}

/** Bytes of a weight in its file. */
export function storedBytes({ shape, dtype, quantization }: io.WeightsManifestEntry): number {
  const sizes: Readonly<Record<string, number>> = { float32: 4, int32: 4, float16: 2, uint16: 2, uint8: 1, bool: 1 };
  return shape.reduce((product, extent) => product * extent, sizes[quantization?.dtype ?? dtype] ?? 4);
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const isHdf5 = text.startsWith('\u0089HDF') || text.startsWith('\uFFFDHDF');
    const isZip = text.startsWith('PK');
    const hint =
      isHdf5 || isZip
        ? `it is a ${isHdf5 ? 'HDF5' : '.keras'} file of Keras. Convert it: tensorflowjs_converter --input_format keras '${file}' web-model`
        : 'it is not JSON';
    throw fail(file, hint, cause);
  }
}

function groupOf(value: unknown, file: string): WeightGroup {
  const { paths, weights } = record(value) ?? {};
  if (!isTexts(paths) || !Array.isArray(weights) || !weights.every(isEntry)) {
    throw fail(
      file,
      "its 'weightsManifest' is invalid; expected groups of { paths, weights: [{ name, shape, dtype }] }",
    );
  }
  const outside = paths.find((path) => /^(?:[/\\]|[A-Za-z]:)|(?:^|[/\\])\.\.(?:[/\\]|$)/.test(path));
  if (outside !== undefined) throw fail(file, `weight file '${outside}' lies outside of its folder`);
  return { paths, weights };
}

function isEntry(value: unknown): value is io.WeightsManifestEntry {
  const { name, shape, dtype } = record(value) ?? {};
  const isShape = Array.isArray(shape) && shape.every((extent) => Number.isInteger(extent) && extent >= 0);
  return typeof name === 'string' && typeof dtype === 'string' && isShape;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isMetadata(value: unknown): value is NonNullable<io.ModelArtifacts['userDefinedMetadata']> {
  return record(value) !== undefined;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
