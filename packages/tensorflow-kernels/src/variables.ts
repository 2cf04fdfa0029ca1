import type { Tensor } from '@tensorflow/tfjs';
import type { Handle, Operand, OperationAttribute, OperationRunner } from './native-backend.js';

/**
 * Changes tensors in place. TensorFlow changes variables only: a tensor that is changed becomes a view of a variable, until it
 * is disposed. Its numbers are copied first if another native tensor shares them.
 */
export class Variables {
  readonly #run: OperationRunner;
  /** By the data ID of their tensor. */
  readonly #variables = new Map<object, Handle>();
  readonly #unused: Handle[] = [];
  readonly #type: readonly OperationAttribute[];
  readonly #dispose: (dataId: object, force?: boolean) => boolean;
  #created = 0;

  constructor(run: OperationRunner) {
    const { backend } = run;
    this.#run = run;
    this.#type = [run.type('dtype', 'float32')];
    this.#dispose = backend.disposeData;
    backend.disposeData = (dataId, force) => {
      const isGone = this.#dispose.call(backend, dataId, force);
      if (isGone) this.#release(dataId);
      return isGone;
    };
  }

  /**
   * Runs an operation that changes tensors, such as `ResourceApplyMomentum`.
   *
   * @param changed the operation's first inputs; no other tensor of TensorFlow.js shares their numbers
   * @param inputs the other inputs
   */
  apply(
    name: string,
    changed: readonly Tensor[],
    inputs: readonly Operand[],
    attributes: readonly OperationAttribute[],
  ): void {
    const run = this.#run;
    const variables = changed.map((tensor) => this.#variableOf(tensor));
    const views = changed.map((tensor) => run.dataOf(tensor));
    for (const { id } of views) run.backend.binding.deleteTensor(id);
    try {
      run.none(name, [...variables, ...inputs], attributes);
    } finally {
      views.forEach((view, index) => {
        view.id = run.handle('ReadVariableOp', variables.slice(index, index + 1), this.#type);
      });
    }
  }

  /** Restores the backend. Tensors keep their numbers. */
  dispose(): void {
    const { backend } = this.#run;
    backend.disposeData = this.#dispose;
    for (const variable of [...this.#variables.values(), ...this.#unused]) {
      this.#run.none('DestroyResourceOp', [variable], []);
      backend.binding.deleteTensor(variable);
    }
    this.#variables.clear();
  }

  #variableOf(tensor: Tensor): Handle {
    const known = this.#variables.get(tensor.dataId);
    if (known !== undefined) return known;
    const variable = this.#unused.pop() ?? this.#create();
    this.#run.none('AssignVariableOp', [variable, tensor], this.#type);
    this.#variables.set(tensor.dataId, variable);
    // Meters count it from now on, like the new tensor that other backends would create.
    this.#run.backend.tensorMap.set(tensor.dataId, this.#run.dataOf(tensor));
    return variable;
  }

  #create(): Handle {
    const run = this.#run;
    const attributes = [
      ...this.#type,
      run.attribute('shape', 'SHAPE', []),
      run.attribute('container', 'STRING', ''),
      run.attribute('shared_name', 'STRING', `localgrad/${this.#created++}`),
    ];
    return run.handle('VarHandleOp', [], attributes);
  }

  /** Takes the numbers out of the variable of a tensor that is gone. */
  #release(dataId: object): void {
    const variable = this.#variables.get(dataId);
    if (variable === undefined) return;
    this.#variables.delete(dataId);
    this.#run.none('AssignVariableOp', [variable, this.#run.constants.empty()], this.#type);
    this.#unused.push(variable);
  }
}
