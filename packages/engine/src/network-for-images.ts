import {
  type Backbone,
  buildBackbone,
  createNetwork,
  formatShape,
  LocalgradError,
  type Network,
  Parameter,
  type ParameterScope,
  type Shape3,
  sameShape,
} from '@localgrad/core';
import { zeros } from '@tensorflow/tfjs';

/**
 * The same network for images of another height and width, such as whole images in place of crops. Shares the parameters of the
 * given one: it follows their training, owns no tensors, and nothing of it has to be disposed.
 *
 * @param imageShape [height, width, channels]
 * @throws LocalgradError `shape-mismatch` if the network classifies whole images, if its parameters depend on the image size, or if
 *   its backbone names no `factory`
 */
export function networkForImages(network: Network, imageShape: Shape3): Network {
  const { backbone, modules } = network;
  if (sameShape(imageShape, backbone.inputShape)) return network;
  const { factory, classes, classifier } = backbone;
  const misfit = (why: string) =>
    new LocalgradError(
      'shape-mismatch',
      `${backbone.name} was built for images of shape ${formatShape(backbone.inputShape)} and cannot be built for ${formatShape(imageShape)}: ${why}.`,
      { backbone: backbone.name, imageShape, builtFor: backbone.inputShape },
    );
  if (classifier.measureProbabilities === undefined)
    throw misfit('it does not predict label maps; only networks that do are evaluated on images of other sizes');
  if (imageShape[2] !== backbone.inputShape[2]) throw misfit('the number of channels differs');
  if (factory === undefined) throw misfit("its backbone has no 'factory', which its factory's 'build' must return");
  const scope = existingParameters(backbone, misfit);
  try {
    const built = buildBackbone(factory, { inputShape: imageShape, classes, scope: scope.root });
    const created = new Set(scope.created);
    if (blockNames(built) !== blockNames(backbone)) throw misfit('its factory builds other blocks');
    const missing = parametersOf(built).find((parameter) => created.has(parameter));
    if (missing !== undefined) throw misfit(`its factory builds another network, with a parameter '${missing.name}'`);
    if (built.classifier.measureProbabilities === undefined)
      throw misfit(`its factory builds another network, with the head '${built.classifier.name}'`);
    return createNetwork(
      built,
      modules.map(({ members }) => members.length),
    );
  } finally {
    for (const parameter of scope.created) parameter.dispose();
  }
}

interface ExistingParameters {
  /** Returns the existing parameters by name, in place of new ones. */
  readonly root: ParameterScope;
  /** Parameters that the network does not have: some factories create a classifier that another head replaces. */
  readonly created: readonly Parameter[];
}

function existingParameters(backbone: Backbone, misfit: (why: string) => LocalgradError): ExistingParameters {
  const existing = new Map(parametersOf(backbone).map((parameter) => [parameter.name, parameter]));
  const created: Parameter[] = [];
  const scopeAt = (prefix: string): ParameterScope => {
    const full = (name: string) => (prefix === '' ? name : `${prefix}.${name}`);
    return {
      prefix,
      scope: (name) => scopeAt(full(name)),
      parameter: (name, shape, _initializer, kind) => {
        const found = existing.get(full(name));
        if (found !== undefined) {
          if (sameShape(found.shape, shape)) return found;
          throw misfit(
            `its parameter '${found.name}' depends on the image size, with shape ${formatShape(found.shape)} there and ${formatShape(shape)} here`,
          );
        }
        const unused = new Parameter(full(name), zeros([...shape]), kind);
        created.push(unused);
        return unused;
      },
    };
  };
  return { root: scopeAt(''), created };
}

function blockNames({ blocks }: Backbone): string {
  return blocks.map(({ block }) => block.name).join();
}

function parametersOf({ blocks, classifier }: Backbone): Parameter[] {
  const owners = [...blocks.map(({ block }) => block), classifier];
  const own = owners.flatMap(({ parameters, statistics }) => [...parameters, ...statistics]);
  return [...own, ...(classifier.state ?? [])];
}
