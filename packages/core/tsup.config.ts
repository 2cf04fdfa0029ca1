import { library } from '../../tools/tsup.ts';

export default library(['src/index.ts', 'src/folders/index.ts', 'src/downloads/index.ts']);
