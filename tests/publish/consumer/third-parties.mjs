// Resolves a thing of every kind by the name of its third-party package, and prints their configs as JSON.
import { selectBackend } from '@localgrad/backends';
import { projectResolver, standardCatalog } from '@localgrad/catalog';

await selectBackend('cpu');
const request = {
  method: 'acme-localgrad-freezing(acme-localgrad-prototypes(temperature: 0.2), every: 2)',
  backbone: 'acme-localgrad-residual(width: 4)',
  dataset: 'acme-localgrad-squares(train: 8)',
  head: 'acme-localgrad-attention(adjustment: 0.5)',
  optimizer: 'acme-localgrad-lion(weightDecay: 0.1)',
  schedule: 'acme-localgrad-restarts(cycles: 3)',
};
const { catalog, modules } = await projectResolver({ project: import.meta.dirname }).extend(standardCatalog, request);
const learningRate = 0.1;
const things = {
  method: catalog.method(request.method),
  backbone: catalog.backbone(request.backbone),
  dataset: await catalog.dataset(request.dataset),
  head: catalog.head(request.head),
  optimizer: catalog.optimizer(request.optimizer, { learningRate }),
  schedule: catalog.schedule(request.schedule, { learningRate }),
};
const configs = Object.fromEntries(Object.entries(things).map(([kind, { config }]) => [kind, config]));
console.log(JSON.stringify({ configs, packages: modules.map(({ name }) => name).sort() }));
