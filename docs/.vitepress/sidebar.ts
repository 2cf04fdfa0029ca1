import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DefaultTheme } from 'vitepress';
import { root, sitePath } from './pages';

type Item = DefaultTheme.SidebarItem;

export const navigation: DefaultTheme.NavItem[] = [
  { text: 'Guide', link: '/local-learning' },
  { text: 'Methods', link: '/methods/' },
  { text: 'Command line', link: '/apps/benchmark/' },
  { text: 'API', link: '/api/' },
  { text: 'Playground', link: '/playground' },
];

/** The title of a page, its first heading. */
function titleOf(path: string): string {
  const heading = /^# (.+)$/m.exec(readFileSync(join(root, path), 'utf8'))?.[1];
  if (heading === undefined) throw new Error(`${path} has no title.`);
  return heading.replaceAll('`', '');
}

function item(path: string, text = titleOf(path)): Item {
  return { text, link: `/${sitePath(path).replace(/(index)?\.md$/, '')}` };
}

const guide = (name: string, text?: string) => item(`docs/${name}.md`, text);

function group(text: string, items: Item[]): Item {
  return { text, items };
}

/** A group that is closed at first. It has a link, because VitePress puts one button into another otherwise. */
function closedGroup(text: string, link: string, items: Item[]): Item {
  return { text, link, items, collapsed: true };
}

function pagesOf(folder: string): Item[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .map((name) => item(`${folder}/${name}`));
}

function readmesOf(folder: string): Item[] {
  return readdirSync(join(root, folder))
    .filter((name) => existsSync(join(root, folder, name, 'README.md')))
    .map((name) => item(`${folder}/${name}/README.md`));
}

/** Pages of the API reference, written by `api.mjs`. */
function reference(): Item[] {
  const file = join(root, 'docs/api/typedoc-sidebar.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Item[]) : [];
}

/** The sidebar of the whole site. */
export function sidebar(): DefaultTheme.Sidebar {
  const api = [group('API reference', [{ text: 'Overview', link: '/api/' }, ...reference()])];
  return {
    '/api/': api,
    '/': [
      group('Start', [
        item('README.md', 'Overview'),
        guide('local-learning'),
        guide('first-run'),
        guide('playground'),
        guide('comparison'),
      ]),
      group('Guides', [
        guide('your-baseline'),
        guide('your-model'),
        guide('experiments-in-programs'),
        guide('ablations'),
        guide('results-as-data'),
        guide('frontier'),
        guide('orderings'),
        guide('memory'),
        guide('parallel'),
        guide('determinism'),
        guide('backends'),
        guide('data'),
        guide('trained-networks'),
        guide('browser'),
        guide('pytorch'),
        guide('troubleshooting'),
      ]),
      group('Extend', [guide('write-a-method'), guide('extend'), item('examples/README.md'), guide('programs/README')]),
      group('Methods', [
        closedGroup('Method cards', '/methods/#3-method-cards', [
          ...readmesOf('packages/methods'),
          ...readmesOf('packages/decorators'),
        ]),
        closedGroup('Specification', '/methods/', pagesOf('docs/methods')),
      ]),
      group('Evidence', [
        guide('results'),
        item('benchmarks/README.md'),
        guide('reference-tensors'),
        closedGroup('Decisions', '/decisions/', pagesOf('docs/decisions')),
      ]),
      group('Reference', [
        item('apps/benchmark/README.md', 'Command line'),
        { text: 'API', link: '/api/' },
        closedGroup('Packages', '/#packages', readmesOf('packages')),
        guide('install-sizes'),
        guide('support'),
        item('CONTRIBUTING.md'),
      ]),
    ],
  };
}
