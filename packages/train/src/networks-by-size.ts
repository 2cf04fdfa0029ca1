import { type Head, LocalgradError, type Network, type Shape3 } from '@localgrad/core';
import { networkForImages } from '@localgrad/engine';
import type * as tf from '@tensorflow/tfjs';

/** More than the scales of publications. */
const mostSizes = 16;

/** A network with its final head, for images of one size. */
export interface SizedNetwork {
  readonly network: Network;
  readonly head: Head;
}

/** A network for images of the sizes that an evaluation meets. Networks for other sizes than its own share its parameters. */
export class NetworksBySize {
  readonly #own: SizedNetwork;
  readonly #others = new Map<string, SizedNetwork>();

  constructor(network: Network, head: Head) {
    this.#own = { network, head };
  }

  /**
   * The network for a batch of images: for a classifier always the one that was given, whose blocks check the shape.
   *
   * @throws LocalgradError `shape-mismatch` if a network for label maps cannot be built for their size
   */
  forImages({ shape: [, height, width, channels] }: tf.Tensor4D): SizedNetwork {
    const { network, head } = this.#own;
    const [ownHeight, ownWidth] = network.imageShape;
    const isOwn = height === ownHeight && width === ownWidth;
    if (isOwn || head.measureProbabilities === undefined) return this.#own;
    const key = `${height}×${width}×${channels}`;
    const found = this.#others.get(key) ?? this.#create([height, width, channels]);
    // The most recent ones last.
    this.#others.delete(key);
    this.#others.set(key, found);
    const [oldest] = this.#others.keys();
    if (this.#others.size > mostSizes && oldest !== undefined) this.#others.delete(oldest);
    return found;
  }

  #create(imageShape: Shape3): SizedNetwork {
    const { network, head } = this.#own;
    if (head !== network.backbone.classifier) {
      throw new LocalgradError(
        'shape-mismatch',
        `Head '${head.name}' was built for images of ${network.imageShape.join('×')}, and the batch has images of ${imageShape.join('×')}; only the classifier of a backbone can be built for other sizes.`,
        { head: head.name, imageShape, builtFor: network.imageShape },
      );
    }
    const sized = networkForImages(network, imageShape);
    return { network: sized, head: sized.backbone.classifier };
  }
}
