import type { Random } from '@localgrad/nn/random';

/** Maximum bytes of a mutated input. */
const largest = 65_536;
const interesting = [0, 1, 0x0a, 0x1b, 0x22, 0x25, 0x2c, 0x3c, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0xc3, 0xfe, 0xff];

type Mutation = (bytes: Uint8Array, random: Random, words: readonly string[]) => Uint8Array;

const encoder = new TextEncoder();

const replaceByte: Mutation = (bytes, random) => {
  const result = Uint8Array.from(bytes);
  if (result.length > 0) {
    const byte = random.integer(2) === 0 ? random.integer(256) : (interesting[random.integer(interesting.length)] ?? 0);
    result[random.integer(result.length)] = byte;
  }
  return result;
};

const flipBit: Mutation = (bytes, random) => {
  const result = Uint8Array.from(bytes);
  const at = random.integer(Math.max(1, result.length));
  if (at < result.length) result[at] = (result[at] ?? 0) ^ (1 << random.integer(8));
  return result;
};

const truncate: Mutation = (bytes, random) => bytes.slice(0, random.integer(bytes.length + 1));

const removePart: Mutation = (bytes, random) => {
  const from = random.integer(bytes.length + 1);
  const to = Math.min(bytes.length, from + 1 + random.integer(16));
  return joined(bytes.subarray(0, from), bytes.subarray(to));
};

const repeatPart: Mutation = (bytes, random) => {
  const from = random.integer(bytes.length + 1);
  const part = bytes.subarray(from, from + 1 + random.integer(32));
  const times = random.integer(10) === 0 ? 1000 : 1 + random.integer(4);
  return joined(bytes.subarray(0, from), ...Array.from({ length: times }, () => part), bytes.subarray(from));
};

const movePart: Mutation = (bytes, random) => {
  const from = random.integer(bytes.length + 1);
  const part = bytes.subarray(from, from + 1 + random.integer(64));
  const to = random.integer(bytes.length + 1);
  return joined(bytes.subarray(0, to), part, bytes.subarray(to));
};

const insertWord: Mutation = (bytes, random, words) => {
  const at = random.integer(bytes.length + 1);
  const word = encoder.encode(words[random.integer(words.length)] ?? '');
  const replaced = random.integer(2) * word.length;
  return joined(bytes.subarray(0, at), word, bytes.subarray(at + replaced));
};

/** Replaces a run of digits with another number. */
const replaceNumber: Mutation = (bytes, random) => {
  const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;
  const starts = [...bytes.keys()].filter((at) => isDigit(bytes[at]) && !isDigit(bytes[at - 1]));
  const from = starts[random.integer(Math.max(1, starts.length))];
  if (from === undefined) return bytes;
  let to = from;
  while (isDigit(bytes[to])) to++;
  const numbers = ['0', '-1', '1.5', '255', '65536', '2147483648', '9007199254740993', '18446744073709551615', '1e999'];
  return joined(bytes.subarray(0, from), encoder.encode(numbers[random.integer(numbers.length)]), bytes.subarray(to));
};

const mutations: readonly Mutation[] = [
  replaceByte,
  replaceByte,
  flipBit,
  truncate,
  removePart,
  repeatPart,
  movePart,
  insertWord,
  insertWord,
  replaceNumber,
];

/** Applies one to four mutations to the input. @param words fragments of the format, inserted at random positions */
export function mutate(input: Uint8Array, random: Random, words: readonly string[]): Uint8Array {
  let bytes = input;
  for (let left = 1 + random.integer(4); left > 0; left--) {
    const mutation = mutations[random.integer(mutations.length)];
    if (mutation !== undefined) bytes = mutation(bytes, random, words).slice(0, largest);
  }
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
