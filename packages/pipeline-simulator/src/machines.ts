/** One module of a network, with its cost for a whole batch. */
export interface ModuleCost {
  /** Seconds of its forward pass. */
  readonly forwardSeconds: number;
  /** Seconds of its backward pass. */
  readonly backwardSeconds: number;
  /** Seconds of the update of its weights. */
  readonly updateSeconds: number;
  /** Seconds of its local loss, forward and backward; only where modules are trained by local losses. */
  readonly headSeconds: number;
  /** Bytes of its output. */
  readonly outputBytes: number;
  /** Bytes that are stored for its backward pass. */
  readonly residualBytes: number;
  /** Bytes of its weights, which are also those of their gradients. */
  readonly weightBytes: number;
  /** Bytes of optimizer state. */
  readonly stateBytes: number;
  /** Bytes of weights and optimizer state of its local loss. */
  readonly headBytes: number;
}

/** Machines of equal speed, each connected to every other. */
export interface Machines {
  /** Number of machines. */
  readonly workers: number;
  /** Bytes per second in each direction between two machines. */
  readonly bandwidth: number;
  /** Seconds until the first byte of a message arrives. */
  readonly latency: number;
}

/** @throws RangeError that names the wrong value */
export function checkSetting(modules: readonly ModuleCost[], { workers, bandwidth, latency }: Machines): void {
  if (modules.length === 0) throw new RangeError('A simulated network needs at least one module.');
  modules.forEach((module, index) => {
    for (const [name, value] of Object.entries(module)) {
      if (Number.isFinite(value) && value >= 0) continue;
      throw new RangeError(`${name} of module ${index} is ${value}; allowed: finite numbers ≥ 0.`);
    }
    if (module.forwardSeconds + module.backwardSeconds > 0) return;
    throw new RangeError(`Module ${index} takes no time; forwardSeconds or backwardSeconds must be positive.`);
  });
  if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`workers is ${workers}; allowed: integers ≥ 1.`);
  if (!(bandwidth > 0)) throw new RangeError(`bandwidth is ${bandwidth}; allowed: bytes per second > 0.`);
  if (!(Number.isFinite(latency) && latency >= 0)) throw new RangeError(`latency is ${latency}; allowed: seconds ≥ 0.`);
}
