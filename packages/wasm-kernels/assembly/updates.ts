import { adam } from './adam';
import { sgd } from './elementwise';

// Updates of many tensors in one call. A table on the heap has a row of sixteen 32-bit numbers for each stretch of elements:
// six pointers, the number of elements, and the operation's numbers.
const ROW: usize = 64;

// @ts-ignore: decorator
@inline
function number(row: usize, index: i32): f32 {
  return load<f32>(row + ((<usize>(7 + index)) << 2));
}

// Rows start … end − 1: value, gradient, velocity, next, nextVelocity, —; rate, momentum, decay, nesterov.
export function sgdAll(table: usize, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const row = table + <usize>i * ROW;
    sgd(
      load<u32>(row), load<u32>(row + 4), load<u32>(row + 8), load<u32>(row + 12), load<u32>(row + 16),
      0, load<i32>(row + 24), number(row, 0), number(row, 1), number(row, 2), <i32>number(row, 3),
    );
  }
}

// Rows start … end − 1: value, gradient, first, next, nextFirst, nextSecond; those of `adam`, then the pointer to second.
export function adamAll(table: usize, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const row = table + <usize>i * ROW;
    adam(
      load<u32>(row), load<u32>(row + 4), load<u32>(row + 8), load<u32>(row + 60), load<u32>(row + 12),
      load<u32>(row + 16), load<u32>(row + 20), 0, load<i32>(row + 24), number(row, 0), number(row, 1), number(row, 2),
      number(row, 3), number(row, 4), number(row, 5), number(row, 6), number(row, 7),
    );
  }
}

// Rows start … end − 1: average, value, result; kept, added. result = kept·average + added·value, each product rounded.
export function blendAll(table: usize, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const row = table + <usize>i * ROW;
    blend(load<u32>(row), load<u32>(row + 4), load<u32>(row + 8), load<i32>(row + 24), number(row, 0), number(row, 1));
  }
}

function blend(average: usize, value: usize, result: usize, size: i32, kept: f32, added: f32): void {
  const k = f32x4.splat(kept), a = f32x4.splat(added);
  let i = 0;
  for (; i + 4 <= size; i += 4) {
    const at = (<usize>i) << 2;
    const old = f32x4.mul(v128.load(average + at), k);
    v128.store(result + at, f32x4.add(old, f32x4.mul(v128.load(value + at), a)));
  }
  for (; i < size; i++) {
    const at = (<usize>i) << 2;
    store<f32>(result + at, load<f32>(average + at) * kept + load<f32>(value + at) * added);
  }
}
