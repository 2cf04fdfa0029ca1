// Compiles assembly/ to WebAssembly, in three variants, and embeds the binaries as modules under src/generated/.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const common = [
  'assembly/index.ts',
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--importMemory',
  '--initialMemory',
  '1',
];
const shared = ['--sharedMemory', '--maximumMemory', '65536'];
const variants = {
  simd: ['--enable', 'simd'],
  'threaded-simd': ['--enable', 'simd,threads', ...shared],
  'relaxed-simd': ['--enable', 'simd,relaxed-simd', '--use', 'RELAXED=1'],
  'threaded-relaxed-simd': ['--enable', 'simd,threads,relaxed-simd', ...shared, '--use', 'RELAXED=1'],
};

const generated = join(root, 'src/generated');
rmSync(generated, { recursive: true, force: true });
mkdirSync(generated, { recursive: true });
for (const [name, flags] of Object.entries(variants)) {
  let binary;
  const { error, stderr } = await asc.main([...common, ...flags, '--outFile', `${name}.wasm`], {
    baseDir: root,
    writeFile: (file, contents) => {
      if (file.endsWith('.wasm')) binary = contents;
    },
  });
  if (error || binary === undefined) {
    console.error(stderr.toString());
    throw new Error(`The ${name} kernels do not compile.`, { cause: error });
  }
  const base64 = Buffer.from(binary).toString('base64');
  writeFileSync(
    join(generated, `${name}.ts`),
    `/** Compiled from assembly/ by scripts/build-wasm.mjs. */\nexport const binary =\n  '${base64}';\n`,
  );
  console.log(`${name}: ${binary.length} bytes`);
}
