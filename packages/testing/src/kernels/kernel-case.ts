import type { TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { drawValues, type Shape, type ValueKind } from './values.js';

export interface KernelCase {
  readonly kernel: keyof TrainingKernels;
  readonly label: string;
  /** Shapes of the inputs, by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** Inputs whose numbers are not normal ones. */
  readonly values?: Readonly<Record<string, ValueKind>>;
  /** Inputs that the kernel consumes. */
  readonly consumes?: readonly string[];
  /** Of the kernel, on tensors of those shapes. */
  readonly run: (kernels: TrainingKernels, inputs: Readonly<Record<string, tf.Tensor>>) => readonly tf.Tensor[];
}

/** The case's inputs on the current backend; the same numbers each time. */
export function drawInputs({ kernel, label, inputs, values = {} }: KernelCase): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [
      name,
      tf.tensor(drawValues(shape, `${kernel} ${label} ${name}`, values[name] ?? 'normal'), [...shape]),
    ]),
  );
}
