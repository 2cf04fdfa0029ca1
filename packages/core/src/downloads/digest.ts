import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** The published hash of a file. */
export interface Digest {
  readonly algorithm: 'md5' | 'sha256';
  /** Hexadecimal, in lower case. */
  readonly hex: string;
}

const labels = { md5: 'MD5', sha256: 'SHA-256' } as const;

/** Computes the hash of a file, in hexadecimal. */
export async function digestOfFile(path: string, algorithm: Digest['algorithm']): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** `expected MD5 …, found …`, for messages. */
export function differentDigests({ algorithm, hex }: Digest, found: string): string {
  return `expected ${labels[algorithm]} ${hex}, found ${found}`;
}
