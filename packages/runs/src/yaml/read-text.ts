import { createReadStream } from 'node:fs';
import { LocalgradError, readProblem, shown } from '@localgrad/core';

/** Maximum size of a YAML file in bytes. */
const largestFile = 2 ** 20;

/**
 * Reads a YAML file: UTF-8, or UTF-16 with its byte-order mark, as Windows PowerShell writes.
 *
 * @throws LocalgradError `invalid-data`
 */
export async function readText(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readStart(file);
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `Cannot read ${shown(file)}: ${readProblem(error)}.`,
      { file },
      { cause: error },
    );
  }
  return decodeText(bytes, file);
}

/** Reads up to one byte more than the limit: a device may never end. */
async function readStart(file: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of createReadStream(file, { end: largestFile })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const largestSize = `${largestFile.toLocaleString('en-US')} bytes`;

/** @param file name for messages. @throws LocalgradError `invalid-data` with the line and column of the first wrong byte */
export function decodeText(bytes: Uint8Array, file: string): string {
  const fail = (place: string, problem: string): never => {
    throw new LocalgradError('invalid-data', `${file}:${place}: ${problem}`, { file });
  };
  if (bytes.length > largestFile) fail('1:1', `the file has more than ${largestSize}, the limit; is it a YAML file?`);
  const encoding = encodingOf(bytes);
  const decode = (fatal: boolean) => new TextDecoder(encoding, { fatal }).decode(bytes).replace(/\r(?!\n)/g, '\n');
  try {
    return decode(true);
  } catch {
    const before = decode(false).split('\ufffd')[0] ?? '';
    const lines = before.split('\n');
    const place = `${lines.length}:${(lines.at(-1) ?? '').length + 1}`;
    return fail(place, `expected ${encoding.toUpperCase()} text, found bytes that are none; save the file as UTF-8`);
  }
}

function encodingOf([first, second, third, fourth]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  // Without a byte-order mark, zeros in the first two characters indicate the encoding.
  if (first !== 0 && second === 0 && third !== 0 && fourth === 0) return 'utf-16le';
  if (first === 0 && second !== 0 && third === 0 && fourth !== 0) return 'utf-16be';
  return 'utf-8';
}
