import { shown } from '@localgrad/core';
import { damaged } from '../files.js';
import type { SequentialReader } from './byte-reader.js';

const BLOCK = 512;
/** Headers of long names and extended attributes are read into memory. */
const mostHeaderBytes = 2 ** 20;

/** A file in a tar archive. Read it before requesting the next one; unread content is skipped. */
export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** Offset of the content in the (decompressed) archive. */
  readonly offset: number;
  read(): Promise<Uint8Array>;
}

/**
 * The files of a tar archive (ustar, pax, GNU long names), in order, without unpacking anything. Directories and links are
 * skipped; a path that leads out of the archive is an error.
 *
 * @throws LocalgradError `invalid-data` that names archive, offset and expectation
 */
export async function* tarEntries(reader: SequentialReader): AsyncGenerator<TarEntry> {
  const { origin } = reader;
  let longName: string | undefined;
  let longSize: number | undefined;
  for (;;) {
    const start = reader.offset;
    if (start > 0 && (await reader.isAtEnd())) {
      throw damaged(origin, start, 'another file or the end mark of the archive', 'nothing: the file is truncated');
    }
    const header = await reader.read(BLOCK, 'a tar header');
    if (header.every((byte) => byte === 0)) break;
    checkHeader(header, reader, start);
    const declared = sizeField(header, reader, start);
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'L' || type === 'x' || type === 'g' || type === 'K') {
      const content = await readHeaderContent(reader, declared, start);
      if (type === 'L') longName = text(content);
      else if (type === 'x') {
        const records = paxRecords(content);
        longName = records.get('path') ?? longName;
        longSize = extendedSize(records, reader, start) ?? longSize;
      }
      continue;
    }
    const size = longSize ?? declared;
    const name = longName ?? shortName(header);
    longName = undefined;
    longSize = undefined;
    const isFile = type === '0' || type === '\0' || type === '7';
    const offset = reader.offset;
    if (isFile) {
      checkName(name, reader, start);
      yield { name, size, offset, read: () => reader.read(size, shown(name)) };
    }
    // Skips unread content and the padding.
    const end = offset + Math.ceil(size / BLOCK) * BLOCK;
    await reader.skip(end - reader.offset, shown(name));
  }
  await reader.drain();
}

function checkHeader(header: Uint8Array, reader: SequentialReader, start: number): void {
  const stored = octal(header.subarray(148, 156));
  // The checksum counts its own field as spaces.
  let sum = 8 * 32;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += header[index] ?? 0;
  if (stored !== sum) {
    const found = stored === undefined ? 'no checksum' : `checksum ${stored}`;
    throw damaged(reader.origin, start, `a tar header with checksum ${sum}`, `${found}: no tar archive, or damaged`);
  }
}

function sizeField(header: Uint8Array, reader: SequentialReader, start: number): number {
  const field = header.subarray(124, 136);
  // Sizes of 8 GiB and more are binary, marked by the first bit.
  const isBinary = ((field[0] ?? 0) & 0x80) !== 0;
  const size = isBinary ? field.subarray(1).reduce((value, byte) => value * 256 + byte, 0) : octal(field);
  if (size === undefined || !Number.isSafeInteger(size)) {
    throw damaged(reader.origin, start + 124, 'the size of a file', shown(text(field)));
  }
  return size;
}

function extendedSize(
  records: ReadonlyMap<string, string>,
  reader: SequentialReader,
  start: number,
): number | undefined {
  const size = records.get('size');
  if (size === undefined) return undefined;
  if (/^\d{1,15}$/.test(size)) return Number(size);
  throw damaged(reader.origin, start, 'the size of a file in an extended header', shown(size));
}

async function readHeaderContent(reader: SequentialReader, size: number, start: number): Promise<Uint8Array> {
  if (size > mostHeaderBytes) {
    throw damaged(reader.origin, start + 124, `an extended header of at most ${mostHeaderBytes} bytes`, `${size}`);
  }
  const content = await reader.read(size, 'an extended tar header');
  await reader.skip(Math.ceil(size / BLOCK) * BLOCK - size, 'padding');
  return content;
}

function checkName(name: string, reader: SequentialReader, start: number): void {
  const parts = name.split(/[/\\]/);
  if (name.length === 0 || /^([/\\]|[A-Za-z]:)/.test(name) || parts.includes('..')) {
    throw damaged(
      reader.origin,
      start,
      'the name of a file inside the archive',
      `${shown(name)}, which leads out of it`,
    );
  }
}

function shortName(header: Uint8Array): string {
  const name = text(header.subarray(0, 100));
  const isUstar = text(header.subarray(257, 262)) === 'ustar';
  const prefix = isUstar && header[262] === 0 ? text(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `<length> <key>=<value>\n`. */
function paxRecords(content: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(new TextDecoder().decode(content.subarray(at, space)));
    if (!Number.isInteger(length) || length <= space - at) break;
    const record = new TextDecoder().decode(content.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function octal(field: Uint8Array): number | undefined {
  const digits = text(field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** Decodes text up to the first zero byte. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
