/** Recognizes formats that are mistaken for safetensors by their first bytes, with a message for each. */
interface ForeignFormat {
  readonly is: (bytes: Uint8Array) => boolean;
  readonly explain: (file: string) => string;
}

const startsWith =
  (...first: readonly number[]) =>
  (bytes: Uint8Array) =>
    bytes.length > 0 && first.every((byte, index) => bytes[index] === byte);

const beginsAs = (pattern: RegExp) => (bytes: Uint8Array) => pattern.test(textOf(bytes.subarray(0, 512)));

const both =
  (...conditions: readonly ForeignFormat['is'][]) =>
  (bytes: Uint8Array) =>
    conditions.every((holds) => holds(bytes));

const zip = startsWith(0x50, 0x4b, 0x03, 0x04);

const convert = (file: string) =>
  `Convert it: python -c "import torch, safetensors.torch; safetensors.torch.save_file(torch.load('${file}', map_location='cpu', weights_only=True), '${stem(file)}.safetensors')". If it contains more than a state dict, save only that entry: torch.load(…)['state_dict'].`;

const formats: readonly ForeignFormat[] = [
  {
    is: (bytes) => bytes.length === 0,
    explain: () => 'the file is empty.',
  },
  {
    is: both(zip, (bytes) => textOf(bytes.subarray(0, 512)).includes('data.pkl')),
    explain: (file) =>
      `this is a PyTorch file written by torch.save, not a safetensors file (it begins with 'PK'). ${convert(file)}`,
  },
  {
    is: both(zip, (bytes) => /\.npy/.test(textOf(bytes.subarray(0, 512)))),
    explain: (file) =>
      `this is a NumPy archive (.npz), not a safetensors file. Convert it: python -c "import numpy, safetensors.numpy; safetensors.numpy.save_file(dict(numpy.load('${file}')), '${stem(file)}.safetensors')".`,
  },
  {
    is: zip,
    explain: (file) =>
      `this is a zip archive (it begins with 'PK'), not a safetensors file. If torch.save wrote it: ${convert(file)} Otherwise unpack it: unzip ${file}.`,
  },
  {
    // A pickle: protocol 2 to 5.
    is: (bytes) => bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5,
    explain: (file) =>
      `this is a Python pickle, as written by older versions of torch.save, not a safetensors file. ${convert(file)}`,
  },
  {
    is: startsWith(0x1f, 0x8b),
    explain: (file) => `this file is compressed with gzip. Decompress it: gunzip -k -S .${extension(file)} ${file}`,
  },
  {
    is: startsWith(0x28, 0xb5, 0x2f, 0xfd),
    explain: (file) => `this file is compressed with zstd. Decompress it: zstd -d ${file} -o ${stem(file)}.safetensors`,
  },
  {
    is: startsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a),
    explain: (file) => `this file is compressed with xz. Decompress it: xz -dc ${file} > ${stem(file)}.safetensors`,
  },
  {
    is: startsWith(0x42, 0x5a, 0x68),
    explain: (file) =>
      `this file is compressed with bzip2. Decompress it: bzip2 -dc ${file} > ${stem(file)}.safetensors`,
  },
  {
    is: beginsAs(/^version https:\/\/git-lfs/),
    explain: (file) =>
      `this is a Git LFS pointer, not the file itself. Download the content in the file's repository: git lfs pull --include ${file}`,
  },
  {
    is: beginsAs(/^\s*(?:<!doctype html|<html|<head|<!--)/i),
    explain: () =>
      'this is an HTML page, not a safetensors file: a web page was downloaded. Use the link to the raw file (on Hugging Face: …/resolve/main/…, not …/blob/main/…).',
  },
  {
    is: beginsAs(/^\s*<\?xml/i),
    explain: () =>
      'this is an XML document, probably an error message of a server, not a safetensors file. Download it again.',
  },
  {
    is: startsWith(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a),
    explain: () =>
      'this is an HDF5 file, as written by Keras, not a safetensors file. Only PyTorch state dicts can be converted.',
  },
  {
    is: (bytes) => textOf(bytes.subarray(257, 262)) === 'ustar',
    explain: (file) => `this is a tar archive, not a safetensors file. Unpack it: tar -xf ${file}`,
  },
  {
    is: startsWith(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59),
    explain: () => 'this is a NumPy array (.npy), not a safetensors file.',
  },
  {
    is: startsWith(0x47, 0x47, 0x55, 0x46),
    explain: () => 'this is a GGUF file, not a safetensors file.',
  },
  {
    is: beginsAs(/^(?:\ufeff)?\s*[{[]\s*["{[\]}\d-]/),
    explain: () => 'this is a JSON document, such as an index or a config, not a safetensors file.',
  },
];

/** A message that identifies a foreign file format and how to convert it; undefined for unknown formats. */
export function foreignFile(bytes: Uint8Array, where: string): string | undefined {
  return formats.find(({ is }) => is(bytes))?.explain(commandName(where));
}

/** The file's name if it needs no quotes in a shell, otherwise a placeholder. */
function commandName(where: string): string {
  return /^[\w./@+-]{1,200}$/.test(where) && !where.startsWith('-') ? where : 'FILE';
}

function stem(file: string): string {
  return file.replace(/(?:\.(?:pth?|tar|bin|ckpt|pkl|pickle|npz|zip|gz|zst|xz|safetensors))+$/i, '');
}

function extension(file: string): string {
  return /\.(\w+)$/.exec(file)?.[1] ?? 'gz';
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
