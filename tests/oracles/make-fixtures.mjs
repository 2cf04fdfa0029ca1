// Extracts the reference tensors that these tests compare, to fixtures/*.safetensors. Usage: npm run oracles:convert --
// FOLDER CONVERTED node tests/oracles/make-fixtures.mjs FOLDER CONVERTED
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors, writeSafetensors } from '../../packages/nn/dist/index.js';

const [folder, converted] = process.argv.slice(2);
if (converted === undefined) throw new Error('Usage: node tests/oracles/make-fixtures.mjs FOLDER CONVERTED');
const target = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');
mkdirSync(target, { recursive: true });

function read(file) {
  const bytes = readFileSync(join(folder, file));
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...header } = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const tensor = (name) => ({
    ...header[name],
    bytes: bytes.subarray(...header[name].data_offsets.map((at) => 8 + length + at)),
  });
  return { names: Object.keys(header), tensor, json: JSON.parse(metadata.json) };
}

function write(file, entries, json) {
  const header = { __metadata__: { json: JSON.stringify(json) } };
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of entries) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const all = Buffer.concat([length, text, ...entries.map(([, { bytes }]) => bytes)]);
  writeFileSync(join(target, file), all);
  console.log(`${file}: ${entries.length} tensors, ${all.length} bytes`);
}

// The small network: selected cases of the converted file, with their tensors.
const cases = [
  'e2e',
  'greedy_k7',
  'dgl_k4',
  'infopro_ce_k4',
  'infopro_contrast_k7',
  'mlaan_official',
  'mlaan_corrected',
];
const convertedMini = readSafetensors(readFileSync(join(converted, 'mini.safetensors')), 'mini.safetensors');
const kept = JSON.parse(convertedMini.metadata.cases).filter(({ case: name }) => cases.includes(name.split('/')[1]));
const used = new Set(
  JSON.stringify(kept)
    .match(/"(?:[^"\\]|\\.)*"/g)
    .map((text) => JSON.parse(text)),
);
writeFileSync(
  join(target, 'mini.safetensors'),
  writeSafetensors({
    tensors: new Map([...convertedMini.tensors].filter(([name]) => used.has(name))),
    metadata: { ...convertedMini.metadata, cases: JSON.stringify(kept) },
  }),
);
copyFileSync(join(converted, 'supcon_sgd_micro.safetensors'), join(target, 'micro.safetensors'));

const full = read('e2e_resnet32.safetensors');
// Of large gradients and one image's features only every nth entry is compared; n is coprime to their dimensions.
const thin = ({ dtype, bytes }, nth) => {
  const count = Math.ceil(bytes.length / (4 * nth));
  const kept = Buffer.alloc(4 * count);
  for (let index = 0; index < count; index++) bytes.copy(kept, 4 * index, 4 * nth * index, 4 * nth * index + 4);
  return { dtype, shape: [count], bytes: kept };
};
const others = ['input/x', 'input/y', 'logits', 'eval_logits_after_one_train_forward'];
const everyNth = {};
write(
  'e2e-resnet32.safetensors',
  full.names
    .filter((name) => /^(weights|grad|bn_after|feat0)\//.test(name) || others.includes(name))
    .map((name) => {
      const tensor = full.tensor(name);
      const isLarge = name.startsWith('feat0/') || (name.startsWith('grad/') && tensor.bytes.length >= 8192);
      if (!isLarge) return [name, tensor];
      everyNth[name] = 13;
      return [name, thin(tensor, everyNth[name])];
    }),
  { case: full.json.case, loss: full.json.loss, everyNth },
);
