// Shorter rows are not worth a call of memory.copy.
const LONG: usize = 256;

// Copies rows start … end − 1 of `bytes`, a multiple of 4. Rows of either side are fromStep and toStep bytes apart.
export function copyRows(from: usize, to: usize, start: i32, end: i32, bytes: usize, fromStep: usize, toStep: usize): void {
  let p = from + <usize>start * fromStep, q = to + <usize>start * toStep;
  for (let row = start; row < end; row++) {
    if (bytes >= LONG) {
      memory.copy(q, p, bytes);
    } else {
      let at: usize = 0;
      for (; at + 16 <= bytes; at += 16) v128.store(q + at, v128.load(p + at));
      for (; at < bytes; at += 4) store<u32>(q + at, load<u32>(p + at));
    }
    p += fromStep;
    q += toStep;
  }
}
