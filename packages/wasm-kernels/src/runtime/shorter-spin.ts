/**
 * After every operation, the threads of the backend poll a million times for the next one before they sleep, on the cores
 * that the threads of the training kernels need. Both sequences are an `i32.const` of four bytes: 1,000,000 and 20,000.
 */
const million = [0x41, 0xc0, 0x84, 0x3d] as const;
const fewer = [0x41, 0xa0, 0x9c, 0x01] as const;
/** Where the pool of threads polls: a thread for work, and the caller, in two functions, for the end of the work. */
const loops = 3;

/** The threaded backend with threads that sleep after about 20 µs; unchanged if it is another version of the file. */
export function withShorterSpin(binary: Uint8Array): Uint8Array {
  const places: number[] = [];
  for (let place = binary.indexOf(million[0]); place >= 0; place = binary.indexOf(million[0], place + 1)) {
    if (million.every((byte, offset) => binary[place + offset] === byte)) places.push(place);
  }
  if (places.length !== loops) return binary;
  const patched = Uint8Array.from(binary);
  for (const place of places) patched.set(fewer, place);
  return patched;
}
