// An error of the program's own, while the backend runs.
import { selectBackend } from '@localgrad/backends';

await selectBackend('auto');
throw new Error('mine');
