import { at, get } from '@localgrad/core';
import {
  type AdamUpdate,
  type AdamUpdateRequest,
  type BlendRequest,
  clipAll as clipByStockOperations,
  type SgdUpdate,
  type SgdUpdateRequest,
} from '@localgrad/kernels';
import { dispose, type Tensor, tensor } from '@tensorflow/tfjs';
import { alignedLength, type Flat, type FlatStorage } from '../flat-storage.js';
import type { WebGpuBackend } from '../program.js';
import { runInPlace } from '../program-many.js';
import type { WebGpuRecorder } from '../recording/recorder.js';

export interface Updates {
  readonly backend: WebGpuBackend;
  readonly storage: FlatStorage;
  readonly recorder: WebGpuRecorder;
}

/** One tensor's share in an update of many. */
interface Item {
  /** Tensors that the update replaces: the value, then the optimizer's. Those that are missing start undefined. */
  readonly state: readonly Tensor[];
  /** The gradient, or the value that an average follows. */
  readonly source: Tensor;
}

interface FlatUpdate {
  readonly key: string;
  readonly items: readonly Item[];
  /** Number of tensors that replace an item's state. */
  readonly slots: number;
  readonly numbers: Readonly<Record<string, number>>;
  /** WGSL: changes `slot(0)` … for one element, given `source[index]`. */
  readonly body: string;
}

/**
 * Updates many tensors in one dispatch: their states lie in one buffer, slot after slot, and the sources are copied into
 * another. A state that lies so already, since this made it, and that nobody shares is changed in place.
 *
 * @returns each item's new state, as views of that buffer
 */
function updateFlat({ backend, storage }: Updates, { key, items, slots, numbers, body }: FlatUpdate): Tensor[][] {
  const offsets: number[] = [];
  let length = 0;
  for (const { source } of items) {
    offsets.push(length);
    length += alignedLength(source.size);
  }
  const flat = stateOf(storage, items, offsets, length, slots);
  const sources = storage.create(length);
  items.forEach(({ source }, index) => {
    storage.copy(source, sources.whole, offsets[index] ?? 0);
  });
  runInPlace(backend, {
    key,
    changed: { state: flat.whole },
    inputs: { sources: sources.whole },
    elements: length,
    numbers,
    body: `let source = sources[index];\n${body.replace(/slot\((\d)\)/g, 'state[$1 * uniforms.elements + index]')}`,
  });
  backend.disposeData(sources.whole.dataId);
  return items.map(({ source }, index) =>
    Array.from({ length: slots }, (_, slot) => storage.view(flat, slot * length + (offsets[index] ?? 0), source.shape)),
  );
}

/** The buffer in which the items' states are, or a new one into which they are copied. */
function stateOf(
  storage: FlatStorage,
  items: readonly Item[],
  offsets: readonly number[],
  length: number,
  slots: number,
): Flat {
  const [first] = items.map(({ state: [value] }) => value);
  const present = first === undefined ? undefined : storage.viewOf(first)?.flat;
  let count = 0;
  const fits = items.every(({ state }, index) =>
    state.every((tensor, slot) => {
      count++;
      const view = storage.viewOf(tensor);
      const offset = slot * length + (offsets[index] ?? 0);
      return view?.flat === present && view?.offset === offset && storage.isOwned(tensor);
    }),
  );
  if (present !== undefined && fits && present.length === slots * length && present.users === count) return present;
  const flat = storage.create(slots * length);
  items.forEach(({ state }, index) => {
    state.forEach((tensor, slot) => {
      storage.copy(tensor, flat.whole, slot * length + (offsets[index] ?? 0));
    });
  });
  return flat;
}

/** Runs `update` once for all requests with the same key. Results are in the order of the requests. */
function grouped<Request, Result>(
  requests: readonly Request[],
  keyOf: (request: Request) => string,
  update: (group: readonly Request[], indices: readonly number[]) => readonly Result[],
): Result[] {
  const groups = new Map<string, number[]>();
  requests.forEach((request, index) => {
    const key = keyOf(request);
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  const results = new Map<number, Result>();
  for (const indices of groups.values()) {
    const group = indices.map((index) => at(requests, index, 'request'));
    update(group, indices).forEach((result, index) => {
      results.set(at(indices, index, 'request'), result);
    });
  }
  return requests.map((_, index) => get(results, index, 'result of request'));
}

/** Updates whose numbers may differ between steps: a recorded step takes them anew before each replay. */
interface ChangingUpdate<Request, Result> {
  readonly requests: readonly Request[];
  /** Whether two requests can be updated by one dispatch, with the same numbers. */
  readonly isSame: (request: Request, other: Request) => boolean;
  readonly keyOf: (request: Request) => string;
  readonly numbersOf: (request: Request) => Readonly<Record<string, number>>;
  /** The result of a request whose tensors a replay updates in place. */
  readonly unchanged: (request: Request) => Result;
  readonly run: (
    group: readonly Request[],
    first: Request,
    numbers: Readonly<Record<string, number>>,
  ) => readonly Result[];
}

function updateAll<Request, Result>({ recorder }: Updates, update: ChangingUpdate<Request, Result>): Result[] {
  const { requests, isSame, keyOf, numbersOf, unchanged, run } = update;
  if (recorder.refresh !== undefined) {
    recorder.refresh.take(requests, numbersOf, isSame);
    return requests.map(unchanged);
  }
  const runGroups = (report: (indices: readonly number[], names: readonly string[]) => void) =>
    grouped(requests, keyOf, (group, indices) => {
      const first = at(group, 0, 'request');
      const numbers = numbersOf(first);
      const results = run(group, first, numbers);
      report(indices, Object.keys(numbers));
      return results;
    });
  return recorder.log === undefined ? runGroups(() => {}) : recorder.log.update(runGroups);
}

/** Has no numbers that change: a replay repeats its operations as they are. */
export function clipAll({ recorder }: Updates, gradients: readonly Tensor[], norm: number): Tensor[] {
  if (recorder.refresh !== undefined) {
    recorder.refresh.take<never>(
      [],
      () => ({}),
      () => true,
    );
    return [...gradients];
  }
  const clip = () => clipByStockOperations(gradients, norm);
  return recorder.log === undefined ? clip() : recorder.log.update(clip);
}

export function sgdUpdateAll(updates: Updates, requests: readonly SgdUpdateRequest[]): SgdUpdate[] {
  return updateAll<SgdUpdateRequest, SgdUpdate>(updates, {
    requests,
    keyOf: ({ velocity, learningRate, momentum, nesterov, weightDecay }) =>
      [velocity === undefined, learningRate, momentum, nesterov, weightDecay].join(),
    isSame: (one, other) =>
      one.learningRate === other.learningRate &&
      one.momentum === other.momentum &&
      one.weightDecay === other.weightDecay &&
      one.nesterov === other.nesterov,
    numbersOf: ({ learningRate, momentum, weightDecay }) => ({ learningRate, momentum, weightDecay }),
    unchanged: ({ value, velocity, momentum }) => ({
      value,
      velocity: momentum === 0 ? undefined : (velocity ?? tensor([])),
    }),
    run(group, first, numbers) {
      const { nesterov } = first;
      const hasMomentum = first.momentum !== 0;
      const readsVelocity = hasMomentum && first.velocity !== undefined;
      const found = updateFlat(updates, {
        key: `sgd ${hasMomentum} ${readsVelocity} ${nesterov}`,
        items: group.map(({ value, gradient, velocity }) => {
          return { state: readsVelocity && velocity !== undefined ? [value, velocity] : [value], source: gradient };
        }),
        slots: hasMomentum ? 2 : 1,
        numbers,
        body: `
        let value = slot(0);
        let decayed = source + uniforms.weightDecay * value;
        let velocity = ${readsVelocity ? 'uniforms.momentum * slot(1) + decayed' : 'decayed'};
        let direction = ${nesterov ? 'decayed + uniforms.momentum * velocity' : 'velocity'};
        ${hasMomentum ? 'slot(1) = velocity;' : ''}
        slot(0) = value - uniforms.learningRate * direction;${nesterov || readsVelocity ? '' : '\n_ = uniforms.momentum;'}`,
      });
      dispose(group.flatMap(({ gradient, velocity }) => [gradient, ...(velocity === undefined ? [] : [velocity])]));
      return found.flatMap(([value, velocity]) => (value === undefined ? [] : [{ value, velocity }]));
    },
  });
}

export function adamUpdateAll(updates: Updates, requests: readonly AdamUpdateRequest[]): AdamUpdate[] {
  return updateAll<AdamUpdateRequest, AdamUpdate>(updates, {
    requests,
    keyOf: ({ moments, update, learningRate, betas, epsilon, weightDecay, decoupled }) =>
      [moments === undefined, update, learningRate, betas, epsilon, weightDecay, decoupled].join(),
    isSame: (one, other) =>
      one.update === other.update &&
      one.learningRate === other.learningRate &&
      one.betas.join() === other.betas.join() &&
      one.epsilon === other.epsilon &&
      one.weightDecay === other.weightDecay &&
      one.decoupled === other.decoupled,
    numbersOf: adamNumbers,
    unchanged: ({ value, moments }) => {
      return { value, first: moments?.first ?? tensor([]), second: moments?.second ?? tensor([]) };
    },
    run(group, any, numbers) {
      const isFirst = any.moments === undefined;
      const found = updateFlat(updates, {
        key: `adam ${isFirst}`,
        items: group.map(({ value, gradient, moments: old }) => {
          return { state: old === undefined ? [value] : [value, old.first, old.second], source: gradient };
        }),
        slots: 3,
        numbers,
        body: `
        let value = slot(0);
        let g = source + uniforms.decay * value;
        let first = ${isFirst ? 'g * uniforms.share1' : 'slot(1) + uniforms.share1 * (g - slot(1))'};
        let second = ${isFirst ? '' : 'uniforms.beta2 * slot(2) + '}uniforms.share2 * g * g;
        let ratio = first / (sqrt(second) * uniforms.inverseRoot + uniforms.epsilon);
        slot(1) = first;
        slot(2) = second;
        slot(0) = uniforms.kept * value - uniforms.rate * ratio;`,
      });
      dispose(
        group.flatMap(({ gradient, moments: old }) => [
          gradient,
          ...(old === undefined ? [] : [old.first, old.second]),
        ]),
      );
      return found.flatMap(([value, first, second]) =>
        value === undefined || first === undefined || second === undefined ? [] : [{ value, first, second }],
      );
    },
  });
}

function adamNumbers({ update, learningRate, betas, epsilon, weightDecay, decoupled }: AdamUpdateRequest) {
  const [beta1, beta2] = betas;
  return {
    decay: decoupled ? 0 : weightDecay,
    share1: 1 - beta1,
    share2: 1 - beta2,
    beta2,
    epsilon,
    rate: learningRate / (1 - beta1 ** update),
    inverseRoot: 1 / Math.sqrt(1 - beta2 ** update),
    kept: decoupled ? 1 - learningRate * weightDecay : 1,
  };
}

export function blendAll(updates: Updates, requests: readonly BlendRequest[]): Tensor[] {
  return grouped(
    requests,
    ({ kept, added }) => [kept, added].join(),
    (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const { kept, added } = first;
      return updateFlat(updates, {
        key: 'blend',
        items: group.map(({ average, value }) => ({ state: [average], source: value })),
        slots: 1,
        numbers: { kept, added },
        body: 'slot(0) = uniforms.kept * slot(0) + uniforms.added * source;',
      }).flat();
    },
  );
}
