import { at, type BackboneBlock, bytesOf, formatReference, type Network } from '@localgrad/core';
import { ruleChain } from '@localgrad/lam';
import { costOf } from '@localgrad/nn/cost';

/**
 * The first module of a window that ends with the network: as early in the last stage as the peak of stored activations
 * does not rise, since the window may take what another module and its chain take anyway.
 *
 * @param chainPool side of the windows over which the chains' inputs are averaged
 */
export function freeWindow(network: Network, maximumLength: number, chainPool: number): number {
  const { modules } = network;
  const last = modules.length - 1;
  const stage = at(network.backbone.blocks, network.backbone.blocks.length - 1, 'block').reference[0];
  const own = modules.map(({ members }) => bytesIn(members));
  const local = own.map((bytes, module) => {
    const chain = ruleChain(network, module, maximumLength).map(formatReference);
    const blocks = network.backbone.blocks.filter(({ reference }) => chain.includes(formatReference(reference)));
    return bytes + bytesIn(blocks) / chainPool ** 2;
  });
  const peakFrom = (from: number) => Math.max(sum(own.slice(from)), ...local.slice(0, from));
  const limit = peakFrom(last);
  let from = last;
  while (from > 0 && isIn(stage, at(modules, from - 1, 'module').members) && peakFrom(from - 1) <= limit) from--;
  return from;
}

/** Bytes that a training pass through these blocks stores for one sample. */
function bytesIn(members: readonly BackboneBlock[]): number {
  return sum(members.map(({ block }) => costOf(block).residualBytes(1) + bytesOf(block.outputShape, 1)));
}

function isIn(stage: number, members: readonly BackboneBlock[]): boolean {
  return members.every(({ reference }) => reference[0] === stage);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
