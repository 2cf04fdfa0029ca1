/** Answers each line of standard input with one measured step of stock TensorFlow.js. */
export async function runStockTapeWorker(request: string, output: { write(text: string): unknown }): Promise<void> {
  // Importing the stock wasm backend registers it, so that only this process does.
  const worker = await import('./stock-tape-worker.js');
  await worker.runStockTapeWorker(request, output);
}
