// A third-party optimizer: Lion (Chen et al. 2023). State is one named tensor per weight, which checkpoints keep.
import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';

const name = 'acme-localgrad-lion';
const slot = 'momentum/';

/**
 * @param {{ learningRate: number, betas?: [number, number], weightDecay?: number }} options
 * @returns {import('@localgrad/core').Optimizer}
 */
export default function lion(options) {
  rejectUnknownKeys(name, options, ['learningRate', 'betas', 'weightDecay']);
  const { learningRate, betas = [0.9, 0.99], weightDecay = 0 } = options;
  requireOption(learningRate >= 0, name, 'learningRate', learningRate, 'numbers ≥ 0');
  const [forUpdate, forMomentum] = betas;
  const momenta = new Map();
  const dispose = () => {
    tf.dispose([...momenta.values()]);
    momenta.clear();
  };
  const updateOne = ({ parameter, gradient }, rate) => {
    const momentum = momenta.get(slot + parameter.name) ?? tf.zerosLike(gradient);
    const [value, next] = tf.tidy(() => {
      const mix = (beta) => tf.add(tf.mul(momentum, beta), tf.mul(gradient, 1 - beta));
      const change = tf.add(tf.sign(mix(forUpdate)), tf.mul(parameter.value, weightDecay));
      return [tf.sub(parameter.value, tf.mul(change, rate)), mix(forMomentum)];
    });
    tf.dispose([momentum, gradient]);
    parameter.assign(value);
    momenta.set(slot + parameter.name, tf.keep(next));
  };
  return {
    config: { optimizer: name, learningRate, betas: [...betas], weightDecay },
    stateBytes: ({ size }) => 4 * size,
    update: (gradients, context) => {
      for (const one of gradients) updateOne(one, context.learningRate);
    },
    state: () => momenta,
    load(state) {
      const unknown = [...state.keys()].find((key) => !key.startsWith(slot));
      if (unknown !== undefined) throw new LocalgradError('invalid-data', `${name} has no state '${unknown}'.`);
      dispose();
      for (const [key, tensor] of state) momenta.set(key, tf.keep(tensor));
    },
    dispose,
  };
}
