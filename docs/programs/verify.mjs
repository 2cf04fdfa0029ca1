// Verify: compare steps with reference tensors of another implementation (docs/reference-tensors.md).
import { fileURLToPath } from 'node:url';
import { verify } from '@localgrad/verify';

const file = fileURLToPath(new URL('../../tests/oracles/fixtures/micro.safetensors', import.meta.url));
const { passed, cases } = await verify({ files: [file], tolerance: 1e-4, backend: 'cpu', threads: 'auto' });
for (const { case: name, maxRelativeError } of cases) console.log(name, maxRelativeError.toExponential(1));
console.log(passed ? 'all agree' : 'there are differences');
