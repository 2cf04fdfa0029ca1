// Execute a run in a folder, interrupt it, and resume it: the result is the same as without the interruption.
import { executeRun, resolveConfig } from '@localgrad/runs';

const config = resolveConfig({
  method: 'dgl',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  batch: 20,
  epochs: 3,
  backend: 'cpu',
});
const folder = 'runs/first';

const controller = new AbortController();
const interrupt = {
  observe: (event) => event.type === 'epoch-end' && event.epoch === 1 && controller.abort(new Error('interrupted')),
};
try {
  await executeRun({ config, folder, resume: 'auto', observers: [interrupt], signal: controller.signal });
} catch (error) {
  if (error !== controller.signal.reason) throw error;
}

const result = await executeRun({ config, folder, resume: 'auto' });
const { status, testAccuracy, resumptions, runId } = result.summary;
console.log(`run ${runId}: ${status}, test accuracy ${testAccuracy}, resumed ${resumptions} time`);
