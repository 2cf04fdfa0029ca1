// Resolve expressions: methods, and everything else that has a name, from localgrad and from your project.
import { projectResolver, standardCatalog } from '@localgrad/catalog';

const method = standardCatalog.method('lam(mlm(dgl(head: 1c2f), window: 3), momentum: 0.99)');
console.log(method.name, JSON.stringify(method.config));

// A catalog is a value: extend it with your own things. Factories take the options of the expression.
const quiet = {
  description: 'SGD without momentum.',
  create: ({ learningRate }) => standardCatalog.optimizer('sgd(momentum: 0)', { learningRate }),
};
const catalog = standardCatalog.with({ optimizers: { quiet } });
console.log(JSON.stringify(catalog.optimizer('quiet', { learningRate: 0.1 }).config));

// Packages and files of a project are imported first; afterwards the catalog knows them.
const request = { method: 'mlm("./own-method.mjs"(weight: 2))' };
const extended = await projectResolver({ project: import.meta.dirname }).extend(catalog, request);
console.log(extended.catalog.method(request.method).name, extended.modules[0].name);
