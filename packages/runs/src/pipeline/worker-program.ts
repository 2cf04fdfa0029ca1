/**
 * The program of a pipeline's workers: `dist/pipeline-worker.js` of this package, beside the module that this one is bundled
 * into.
 */
export function pipelineProgram(): URL {
  return new URL('./pipeline-worker.js', import.meta.url);
}
