// Converts a folder of reference tensors written by the methods' official PyTorch code to files for `localgrad verify`.
// npm run oracles:convert -- IN OUT Cases are recognized by their metadata and tensor names, not by file names. Format:
// docs/reference-tensors.md.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { readSafetensors, writeSafetensors } from '../../packages/nn/dist/index.js';
import { contrastiveCases, optimizerCases } from './other-cases.mjs';
import { trainingCases } from './training-cases.mjs';

const [input, output] = process.argv.slice(2);
if (input === undefined || output === undefined) {
  console.error('Usage: npm run oracles:convert -- IN OUT   (folders)');
  process.exit(2);
}
const base = process.env.INIT_CWD ?? process.cwd();
const source = resolve(base, input);
const target = resolve(base, output);

const files = new Map();
for (const name of readdirSync(source)
  .filter((entry) => entry.endsWith('.safetensors'))
  .sort()) {
  const { tensors, metadata } = readSafetensors(readFileSync(join(source, name)), name);
  files.set(basename(name, '.safetensors'), { name, tensors, json: JSON.parse(metadata.json ?? '{}') });
}
if (files.size === 0) {
  console.error(`Folder ${input} contains no .safetensors files.`);
  process.exit(1);
}

mkdirSync(target, { recursive: true });
let problems = 0;
for (const [stem, file] of files) {
  const out = new Map();
  const put = (name, tensor) => {
    out.set(name, tensor);
    return name;
  };
  const context = { stem, file, files, put, warn: (text) => console.warn(`${file.name}: ${text}`) };
  try {
    const cases = [...trainingCases(context), ...contrastiveCases(context), ...optimizerCases(context)];
    if (cases.length === 0) {
      console.warn(`${file.name}: no case recognized.`);
      problems++;
      continue;
    }
    const metadata = { format: 'localgrad-reference', version: '1', cases: JSON.stringify(cases) };
    writeFileSync(join(target, file.name), writeSafetensors({ tensors: out, metadata }));
    console.log(`${file.name}: ${cases.map((entry) => entry.case).join(', ')}`);
  } catch (error) {
    console.error(`${file.name}: ${error instanceof Error ? error.message : error}`);
    problems++;
  }
}
process.exit(problems === 0 ? 0 : 1);
