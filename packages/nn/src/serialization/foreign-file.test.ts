import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from './safetensors.js';

const text = (content: string) => new TextEncoder().encode(content);
/** The start of a zip archive of one stored file. */
const zip = (name: string) =>
  Buffer.concat([Buffer.from('PK\x03\x04\0\0\x08\x08'), Buffer.alloc(22), Buffer.from(name)]);

describe('foreign file formats', () => {
  it.each<[string, Uint8Array, RegExp]>([
    [
      'net.pth',
      zip('archive/data.pkl'),
      /written by torch\.save.*begins with 'PK'.*safetensors\.torch\.save_file\(torch\.load\('net\.pth'.*'net\.safetensors'\)/,
    ],
    ['net.pt', zip('net/data.pkl'), /torch\.load\('net\.pt'.*state_dict/],
    [
      'old.pth.tar',
      Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc),
      /Python pickle.*older versions of torch\.save.*'old\.safetensors'/,
    ],
    ['net.npz', zip('conv1.npy'), /NumPy archive.*safetensors\.numpy\.save_file/],
    ['net.zip', zip('readme.txt'), /zip archive.*unzip net\.zip/],
    ['net.safetensors.gz', gzipSync('x'), /compressed with gzip.*gunzip -k/],
    [
      'net.safetensors',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 26814\n'),
      /Git LFS pointer.*git lfs pull --include net\.safetensors/,
    ],
    ['net.safetensors', text('<!DOCTYPE html>\n<html><body>Not found'), /HTML page.*raw file/],
    ['net.safetensors', text('\n<html lang="en">'), /HTML page/],
    ['net.safetensors', text('<?xml version="1.0"?><Error><Code>AccessDenied'), /XML document/],
    ['model.json', text('{"modelTopology": {}}'), /JSON document/],
    ['net.h5', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), /HDF5 file, as written by Keras/],
    [
      'net.tar',
      Buffer.concat([Buffer.from('net.safetensors'), Buffer.alloc(242), Buffer.from('ustar\x0000'), Buffer.alloc(248)]),
      /tar archive.*tar -xf/,
    ],
    ['net.zst', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3, 4), /compressed with zstd/],
    ['empty.safetensors', new Uint8Array(), /the file is empty/],
  ])('%s: the message identifies the format and how to convert it', (file, bytes, message) => {
    expect(() => readSafetensors(bytes, file)).toThrow(message);
    expect(() => readSafetensors(bytes, file)).toThrow(expect.objectContaining({ code: 'invalid-data' }));
  });

  it('inserts a file name into a command only if it needs no quoting in a shell or Python', () => {
    expect(() => readSafetensors(zip('a/data.pkl'), "a'; rm -rf $HOME.pth")).toThrow(/torch\.load\('FILE'/);
  });

  it('reports bytes of an unknown format with the general message', () => {
    expect(() => readSafetensors(new Uint8Array(64).fill(0xaa), 'x')).toThrow(
      /byte 0: expected the length of a header/,
    );
  });
});
