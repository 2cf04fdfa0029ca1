/**
 * Hashes a seed and a text to four 32-bit words: FNV-1a in four lanes with different initial values, each finalized
 * with MurmurHash3's avalanche. Not cryptographic; separates names that differ in one letter.
 */
export function hashWords(seed: number, text: string): [number, number, number, number] {
  const low = seed | 0;
  const high = Math.floor(seed / 2 ** 32) | 0;
  const lane = (salt: number): number => {
    let hash = avalanche(avalanche(0x811c9dc5 ^ salt ^ low) ^ high);
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
    return avalanche(hash ^ text.length);
  };
  return [lane(0x9e3779b9), lane(0x3c6ef372), lane(0xdaa66d2b), lane(0x78dde6e4)];
}

function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
