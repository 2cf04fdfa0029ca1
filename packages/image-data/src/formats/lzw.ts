/** Codes of at most 12 bits. */
const mostCodes = 4096;

/**
 * Decompresses the indices of a GIF frame (LZW with variable code length and clear codes).
 *
 * @param bits of an index
 * @param count number of indices to return
 * @returns undefined if there are fewer, or a code is invalid
 */
export function decompressIndices(data: Uint8Array, bits: number, count: number): Uint8Array | undefined {
  const clear = 2 ** bits;
  const result = new Uint8Array(count);
  // The sequence of a code: that of its prefix, followed by one index.
  const prefix = new Uint16Array(mostCodes);
  const last = Uint8Array.from({ length: mostCodes }, (_, code) => (code < clear ? code : 0));
  const length = new Uint16Array(mostCodes).fill(1, 0, clear);
  let [codeBits, next, previous] = [bits + 1, clear + 2, -1];
  let [window, available, at, written] = [0, 0, 0, 0];
  while (written < count) {
    while (available < codeBits) {
      if (at === data.length) return undefined;
      window |= (data[at++] ?? 0) << available;
      available += 8;
    }
    const code = window & (2 ** codeBits - 1);
    window >>>= codeBits;
    available -= codeBits;
    if (code === clear) {
      [codeBits, next, previous] = [bits + 1, clear + 2, -1];
      continue;
    }
    const isNew = code === next && previous >= 0;
    if (code === clear + 1 || code > next || (code >= clear && previous < 0) || (code === next && !isNew)) {
      return undefined;
    }
    // The sequence of a code that is only being defined is the previous one, followed by its own first index.
    const start = written;
    const known = isNew ? previous : code;
    let position = start + (length[known] ?? 0);
    written = Math.min(count, position + (isNew ? 1 : 0));
    for (let from = known; position > start; from = prefix[from] ?? 0) {
      position--;
      if (position < count) result[position] = last[from] ?? 0;
    }
    const first = result[start] ?? 0;
    if (isNew && start + (length[known] ?? 0) < count) result[start + (length[known] ?? 0)] = first;
    if (previous >= 0 && next < mostCodes) {
      prefix[next] = previous;
      last[next] = first;
      length[next] = (length[previous] ?? 0) + 1;
      next++;
      if (next === 2 ** codeBits && codeBits < 12) codeBits++;
    }
    previous = code;
  }
  return result;
}
