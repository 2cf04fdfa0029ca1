// Explain: modules, objectives and predicted cost of a method on a network. Trains nothing.
import { writeFile } from 'node:fs/promises';
import { explanationSvg } from '@localgrad/report';
import { explain } from '@localgrad/runs';

const explanation = await explain({
  ...{ method: 'mlaan(dgl)', backbone: 'resnet8', modules: 3, partition: 'even', memory: 'residuals', seed: 1 },
  ...{ batch: 64, image: [32, 32, 3], classes: 10 },
});
for (const { id, role, span } of explanation.objectives) console.log(id, role, span.join('–'));
console.log(`${explanation.totals.relativeToBackprop.memory.toFixed(2)} × the memory of end-to-end training`);
await writeFile('plan.svg', explanationSvg(explanation));
