import type {
  AdamUpdate,
  AdamUpdateRequest,
  BlendRequest,
  SgdUpdate,
  SgdUpdateRequest,
  TrainingKernels,
} from '@localgrad/kernels';
import { clone, dispose, type Tensor } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';
import type { Variables } from '../variables.js';

type UpdateKernels = Pick<TrainingKernels, 'sgdUpdateAll' | 'adamUpdateAll' | 'blendAll'>;

/** For weights of at most this size, fewer operations are worth more than the memory of temporaries. */
const smallSize = 16_384;

/** Added to a weight times its gradient, it changes no weight. */
const negligible = 1e-30;

/** Updates in place, by the operations of TensorFlow's own optimizers. */
export function updateKernels(run: OperationRunner, variables: Variables): UpdateKernels {
  const scalar = (value: number) => run.constants.scalar(value);
  const shared = [run.type('T', 'float32'), run.attribute('use_locking', 'BOOL', false)];
  const plain = [...shared, run.attribute('use_nesterov', 'BOOL', false)];
  const withNesterov = [...shared, run.attribute('use_nesterov', 'BOOL', true)];

  /** value ← value − rate·gradient */
  function descend(value: Tensor, rate: number, gradient: Tensor): void {
    variables.apply('ResourceApplyGradientDescent', [value], [scalar(rate), gradient], shared);
  }

  /** value ← kept·value + added·other. The step of proximal descent with an L2 norm, which no GPU kernel exists for. */
  function blendInPlace(value: Tensor, kept: number, added: number, other: Tensor): void {
    const rate = -added / kept;
    const [l1, l2] = [0, (1 / kept - 1) / rate];
    const inputs = [...[rate, l1, l2].map(scalar), other];
    variables.apply('ResourceApplyProximalGradientDescent', [value], inputs, shared);
  }
  const canBlendInPlace = (...factors: readonly number[]) => !run.backend.isUsingGpuDevice && !factors.includes(0);

  /** A new handle of a borrowed value whose numbers may change: the same numbers, unless another handle shares them. */
  function changeable(value: Tensor): Tensor {
    return run.dataOf(value).refCount === 1 ? clone(value) : run.float('Identity', value);
  }

  /** The same for a value that is consumed. */
  function own(consumed: Tensor): Tensor {
    if (run.dataOf(consumed).refCount === 1) return consumed;
    const result = run.float('Identity', consumed);
    consumed.dispose();
    return result;
  }

  /** gradient + weightDecay·value. Consumes the gradient. */
  function decayed(gradient: Tensor, value: Tensor, weightDecay: number): Tensor {
    if (weightDecay === 0) return own(gradient);
    if (value.size > smallSize) {
      const result = own(gradient);
      descend(result, -weightDecay, value);
      return result;
    }
    const scaled = run.scaled(value, weightDecay);
    const result = run.float('AddV2', gradient, scaled);
    dispose([gradient, scaled]);
    return result;
  }

  function sgdUpdate(request: SgdUpdateRequest): SgdUpdate {
    const { value: old, velocity: oldVelocity, learningRate, momentum, nesterov, weightDecay } = request;
    const gradient = decayed(request.gradient, old, weightDecay);
    const value = changeable(old);
    if (momentum === 0) {
      descend(value, learningRate, gradient);
      gradient.dispose();
      oldVelocity?.dispose();
      return { value, velocity: undefined };
    }
    if (oldVelocity === undefined) {
      descend(value, nesterov ? learningRate * (1 + momentum) : learningRate, gradient);
      return { value, velocity: gradient };
    }
    const velocity = own(oldVelocity);
    const inputs = [scalar(learningRate), gradient, scalar(momentum)];
    variables.apply('ResourceApplyMomentum', [value, velocity], inputs, nesterov ? withNesterov : plain);
    gradient.dispose();
    return { value, velocity };
  }

  /**
   * TensorFlow's bias correction and its 1 − β₂ have the precision of float32 numbers near 1, so that the correction is done
   * here, and the learning rate makes up for a second moment that is too small by a constant factor.
   */
  function adamUpdate(request: AdamUpdateRequest): AdamUpdate {
    const { value: old, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
    const [beta1, beta2] = request.betas;
    const gradient = decoupled ? request.gradient : decayed(request.gradient, old, weightDecay);
    const value = changeable(old);
    if (decoupled) decay(value, learningRate * weightDecay, gradient);
    const first = moments === undefined ? run.float('ZerosLike', old) : own(moments.first);
    const second = moments === undefined ? run.float('ZerosLike', old) : own(moments.second);
    const deviation = Math.sqrt((1 - beta2 ** update) * ((1 - Math.fround(beta2)) / (1 - beta2)));
    const rate = (learningRate / (1 - beta1 ** update)) * deviation;
    const numbers = [0, 0, rate, beta1, beta2, epsilon * deviation].map(scalar);
    variables.apply('ResourceApplyAdam', [value, first, second], [...numbers, gradient], plain);
    gradient.dispose();
    return { value, first, second };
  }

  /** value ← (1 − rate)·value */
  function decay(value: Tensor, rate: number, gradient: Tensor): void {
    if (rate === 0) return;
    if (canBlendInPlace(1 - rate)) blendInPlace(value, 1 - rate, negligible, gradient);
    else descendFromCopy(value, rate);
  }

  function descendFromCopy(value: Tensor, rate: number): void {
    const copy = run.float('Identity', value);
    descend(value, rate, copy);
    copy.dispose();
  }

  function blend({ average, value, kept, added }: BlendRequest): Tensor {
    const result = changeable(average);
    if (canBlendInPlace(kept, added)) {
      blendInPlace(result, kept, added, value);
    } else {
      descendFromCopy(result, 1 - kept);
      descend(result, -added, value);
    }
    return result;
  }

  return {
    sgdUpdateAll: (requests) => requests.map(sgdUpdate),
    adamUpdateAll: (requests) => requests.map(adamUpdate),
    blendAll: (requests) => requests.map(blend),
  };
}
