import { defineConfig } from 'vite';

/** Cross-origin isolation, without which a page has no threads. A static host must send the same headers. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  // Relative, so that the built site works in any folder.
  base: './',
  server: { headers },
  preview: { headers },
  worker: { format: 'es' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  optimizeDeps: {
    // Bundled at the start: dependencies that are found later reload the page.
    entries: ['index.html', 'src/worker/worker.ts'],
    exclude: ['@localgrad/data', '@localgrad/wasm-kernels'],
  },
  // The worker contains TensorFlow.js; the page itself is small.
  build: { chunkSizeWarningLimit: 2_500 },
});
