// Compiles assembly/ to WebAssembly, in four variants, and embeds the binaries as modules under src/generated/, together with
// the scripts of the threaded TensorFlow.js backend.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

// Browsers start the threads of the backend from the text of its scripts, which a bundler must not minify.
const require = createRequire(import.meta.url);
const stock = join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'wasm-out');
const script = readFileSync(join(stock, 'tfjs-backend-wasm-threaded-simd.js'), 'utf8');
for (const needle of ['navigator["hardwareConcurrency"]', 'pthreadPoolSize=8', 'var WasmBackendModuleThreadedSimd']) {
  if (!script.includes(needle)) throw new Error(`The threaded backend of TensorFlow.js has no ${needle}.`);
}
const { wasmWorkerContents } = require(join(stock, 'tfjs-backend-wasm-threaded-simd.worker.js'));
writeFileSync(
  join(generated, 'threaded-backend.ts'),
  [
    '/** Scripts of @tensorflow/tfjs-backend-wasm (Apache-2.0), copied by scripts/build-wasm.mjs. */',
    `export const script = ${JSON.stringify(script)};`,
    // The file contains a string literal with unescaped line breaks.
    `export const workerScript = ${JSON.stringify(wasmWorkerContents.replace(/\n/g, '\\n'))};`,
    '',
  ].join('\n'),
);
