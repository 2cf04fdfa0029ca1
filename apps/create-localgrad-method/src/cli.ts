import { Command, Option } from 'commander';
import { createPackage, RequestError } from './create-package.js';
import { type Kind, kinds, type Language, languages } from './kinds.js';
import { nextSteps } from './next-steps.js';

interface Flags {
  readonly kind: Kind;
  readonly language: Language;
  readonly name?: string;
}

const program = new Command('npm create localgrad-method')
  .usage('<folder> [-- options]')
  .description('Starts a package with a local-learning method, decorator, backbone or data set of your own.')
  .argument('<folder>', 'new or empty folder; its name is the package’s name')
  .addOption(new Option('--kind <kind>', 'what the package offers').choices(kinds).default('method'))
  .addOption(new Option('--language <language>', 'language of the code').choices(languages).default('typescript'))
  .option('--name <name>', 'the package’s name on npm, e.g. @acme/localgrad-prototypes')
  .addHelpText(
    'after',
    `
Examples:
  npm create localgrad-method localgrad-prototypes
  npm create localgrad-method localgrad-photos -- --kind dataset --language javascript`,
  )
  .action((folder: string, { kind, language, name }: Flags) => {
    const created = createPackage({ folder, kind, language, ...(name === undefined ? {} : { name }) });
    const next = nextSteps(created, folder, process.cwd());
    process.stdout.write(`Created ${created.name} in ${folder}: ${created.files.join(', ')}\n\n${next}`);
  });

try {
  program.parse();
} catch (error) {
  if (!(error instanceof RequestError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
