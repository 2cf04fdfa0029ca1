/** What the backend knows of a tensor. */
export interface TensorData {
  readonly memoryOffset: number;
  readonly refCount: number;
}

type DataId = object;

/** What this file uses of the backend. */
export interface BackendWithData {
  readonly dataIdMap: { get(dataId: DataId): TensorData | undefined };
  disposeData(dataId: DataId, force?: boolean): boolean;
  refCount(dataId: DataId): number;
  incRef(dataId: DataId): void;
}

/** Looks up tensors of a backend whose kernels may have work pending. */
export interface TensorLookup {
  /** Looks up a tensor for a kernel, which runs after the pending work. */
  get(dataId: DataId): TensorData | undefined;
  close(): void;
}

const lookups = new WeakMap<BackendWithData, TensorLookup>();

/**
 * Makes the backend wait before it looks up where a tensor lies, which all its operations and reads do; counting references and
 * disposing do not wait.
 */
export function waitBeforeLookups(backend: BackendWithData, wait: () => void): TensorLookup {
  const known = lookups.get(backend);
  if (known !== undefined) return known;
  const { dataIdMap } = backend;
  const get = dataIdMap.get.bind(dataIdMap);
  let isQuiet = false;
  const quietly =
    <Values extends unknown[], Result>(method: (...values: Values) => Result) =>
    (...values: Values): Result => {
      const before = isQuiet;
      isQuiet = true;
      try {
        return method.apply(backend, values);
      } finally {
        isQuiet = before;
      }
    };
  const own = ['disposeData', 'refCount', 'incRef'] as const;
  for (const name of own) Object.assign(backend, { [name]: quietly(backend[name] as (...values: never[]) => unknown) });
  dataIdMap.get = (dataId) => {
    if (!isQuiet) wait();
    return get(dataId);
  };
  const lookup: TensorLookup = {
    get,
    close() {
      lookups.delete(backend);
      Reflect.deleteProperty(dataIdMap, 'get');
      for (const name of own) Reflect.deleteProperty(backend, name);
    },
  };
  lookups.set(backend, lookup);
  return lookup;
}
