import { defineConfig } from 'vite';

// With these headers, a page may use threads. Without them, it uses one.
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
  // The development server must not move these packages away from their data and .wasm files.
  optimizeDeps: { exclude: ['@localgrad/data', '@localgrad/wasm-kernels'] },
});
