// Compares the public API of the packages that methods depend on with the committed reports, one for each entry point.
// --local updates the reports.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));
const isLocal = process.argv.includes('--local');
const failed = ['core', 'nn', 'engine', 'train'].flatMap((name) => {
  const folder = join(root, 'packages', name);
  const { './package.json': _, ...entries } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).exports;
  return Object.entries(entries)
    .map(([subpath, { types }]) => ({ title: [name, ...subpath.split('/').slice(1)].join('-'), types }))
    .filter(({ title, types }) => !hasSameApi(folder, title, types))
    .map(({ title }) => title);
});
if (failed.length > 0) {
  console.error(
    `The public API differs from the report: ${failed.join(', ')}. If intended, run npm run api:update and commit the result.`,
  );
  process.exitCode = 1;
}

function hasSameApi(folder, title, types) {
  const configuration = ExtractorConfig.loadFile(join(root, 'api-extractor.base.json'));
  configuration.projectFolder = folder;
  configuration.mainEntryPointFilePath = join(folder, types);
  configuration.apiReport.reportFileName = `${title}.api.md`;
  const config = ExtractorConfig.prepare({
    configObject: configuration,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json'),
  });
  return Extractor.invoke(config, { localBuild: isLocal }).succeeded;
}
