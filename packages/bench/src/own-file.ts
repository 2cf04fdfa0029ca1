import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { crc32, LocalgradError } from '@localgrad/core';
import { readBytesIfThere, writeWhole } from '@localgrad/runs';
import { isBenchmarkCsv, isBenchmarkJson } from './csv.js';

const mark = 'Written by localgrad';
const svgEnd = `</svg>\n<!-- ${mark} -->\n`;
const pngMark = pngChunk('tEXt', `Comment\0${mark}`);
/** Length of the last chunk of a PNG file, which is empty. */
const pngEndLength = 12;

/** Whether a file of this type is earlier output of a command, by its extension. */
const isOurs: Readonly<Record<string, (content: Buffer) => boolean>> = {
  '.csv': (content) => isBenchmarkCsv(content.toString('utf8')),
  '.json': (content) => isBenchmarkJson(content.toString('utf8')),
  '.svg': (content) => content.toString('utf8').endsWith(svgEnd),
  '.png': (content) => content.includes(pngMark),
};

/** Marks a drawing, so that a later command may replace its file. */
export function markedSvg(svg: string): string {
  return svg.replace(/<\/svg>\s*$/, svgEnd);
}

/** Marks a picture, so that a later command may replace its file. */
export function markedPng(png: Uint8Array): Uint8Array {
  const end = png.length - pngEndLength;
  return Buffer.concat([png.subarray(0, end), pngMark, png.subarray(end)]);
}

function pngChunk(type: string, text: string): Buffer {
  const body = Buffer.from(`${type}${text}`, 'latin1');
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(text.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/**
 * Checks that a file which the user names is new, or earlier output of a command.
 *
 * @param option flag that named the file
 * @param header first line of the CSV files that the command writes, if these are not benchmarks of this package
 * @throws LocalgradError `invalid-option` for another extension, a folder, and a file that localgrad did not write
 */
export async function checkOwnFile(
  option: string,
  file: string,
  extensions: readonly string[],
  header?: string,
): Promise<void> {
  const extension = extname(file);
  const refuse = (problem: string) => new LocalgradError('invalid-option', `${option} '${file}'${problem}`, { file });
  if (!extensions.includes(extension)) throw refuse(`: allowed: names that end with ${extensions.join(' or ')}.`);
  if ((await stat(file).catch(() => undefined))?.isDirectory() === true) {
    throw refuse(` is a folder. Choose another ${option}.`);
  }
  const found = await readBytesIfThere(file);
  if (found === undefined || isOurs[extension]?.(found) === true) return;
  if (header !== undefined && found.toString('utf8').split(/\r?\n/, 1)[0] === header) return;
  throw refuse(` already exists, and localgrad did not write it. Choose another ${option}.`);
}

/** Writes a file that `checkOwnFile` accepts, also if it has changed since the first check. @throws LocalgradError as `checkOwnFile` */
export async function writeOwnFile(
  option: string,
  file: string,
  content: string | Uint8Array,
  header?: string,
): Promise<void> {
  await checkOwnFile(option, file, [extname(file)], header);
  await writeWhole(file, content);
}
