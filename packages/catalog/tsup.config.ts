import { isomorphicLibrary } from '../../tools/tsup.ts';

export default isomorphicLibrary();
