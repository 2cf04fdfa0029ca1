// An uncaught error of the program while the backend is running.
import { selectBackend } from '@localgrad/backends';

await selectBackend('auto');
throw new Error('mine');
