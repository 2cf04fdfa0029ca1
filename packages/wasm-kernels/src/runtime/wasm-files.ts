/** URLs of the backend's builds, by file name. */
export type WasmFiles = Readonly<
  Record<'tfjs-backend-wasm.wasm' | 'tfjs-backend-wasm-simd.wasm' | 'tfjs-backend-wasm-threaded-simd.wasm', string>
>;

/**
 * @param folder URL of a folder with the files, relative to the page or worker. Default: where the bundler puts them (Vite,
 *   webpack and Parcel recognize these expressions)
 */
export function wasmFiles(folder: string | undefined): WasmFiles {
  if (folder === undefined) {
    return {
      'tfjs-backend-wasm.wasm': new URL('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm', import.meta.url)
        .href,
      'tfjs-backend-wasm-simd.wasm': new URL(
        '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
        import.meta.url,
      ).href,
      'tfjs-backend-wasm-threaded-simd.wasm': new URL(
        '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm',
        import.meta.url,
      ).href,
    };
  }
  const at = (name: string) => new URL(name, new URL(folder.replace(/\/*$/, '/'), self.location.href)).href;
  return {
    'tfjs-backend-wasm.wasm': at('tfjs-backend-wasm.wasm'),
    'tfjs-backend-wasm-simd.wasm': at('tfjs-backend-wasm-simd.wasm'),
    'tfjs-backend-wasm-threaded-simd.wasm': at('tfjs-backend-wasm-threaded-simd.wasm'),
  };
}
