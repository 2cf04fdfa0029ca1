import { it } from 'vitest';
import { explain } from '../explain.js';
import { runDefaults } from '../config/optimization.js';
it('time', { timeout: 400000 }, async () => {
  for (const method of ['dgl(head: 1c2f)', 'backprop', 'lean-mlaan(greedy)', 'mlm(greedy)', 'infopro', 'auglocal', 'mlaan(greedy)', 'hpff'])
   for (const memoryBudget of ['1GiB', '500MiB', '250MiB']) {
    const t = performance.now();
    const e = await explain({ ...runDefaults, backbone: 'resnet110', method, batch: 128, image: [32,32,3], memoryBudget, seed: 0 } as never).catch((e) => { console.log(method, performance.now()-t, String(e), e.stack?.slice(0, 600)); });
    if (e) console.log(method, Math.round(performance.now() - t), e.budget?.reason, e.budget?.compared, e.budget?.isOptimal, e.budget?.endToEnd?.reason);
  }
});
