// Words by which kernels tell whether later ones have to run (pool.ts).

export function readWord(pointer: usize): i32 {
  return load<i32>(pointer);
}

export function clearWords(words: usize, count: i32): void {
  memory.fill(words, 0, (<usize>count) << 2);
}

// Sets a word if one of several is set.
export function gatherWords(words: usize, count: i32, result: usize): void {
  let any = 0;
  for (let index = 0; index < count; index++) any |= load<i32>(words + ((<usize>index) << 2));
  store<i32>(result, any);
}
