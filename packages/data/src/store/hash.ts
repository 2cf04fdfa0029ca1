import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Computes the MD5 hash of a file. */
export async function md5OfFile(path: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}
