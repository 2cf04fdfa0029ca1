const stride = 8192;

/** One character per byte, U+0000 to U+00FF. `TextDecoder` has no such encoding: its 'latin1' is Windows-1252. */
export function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += stride) parts.push(String.fromCharCode(...bytes.subarray(at, at + stride)));
  return parts.join('');
}
