import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withoutBreaks } from '../../docs/.vitepress/markdown.js';
import { isPage, repository, resolveLink, root, sitePath, slugOf } from '../../docs/.vitepress/pages.js';

const from = (path: string) => join(root, path);

describe('pages of the site', () => {
  it.each([
    ['README.md', true],
    ['docs/methods/dgl.md', true],
    ['packages/methods/dgl/README.md', true],
    ['examples/README.md', true],
    ['benchmarks/README.md', true],
    ['benchmarks/results/ablation-fashion-mnist-resnet14/report.md', false],
    ['packages/core/etc/core.api.md', false],
    ['apps/create-localgrad-method/templates/method/README.md', false],
    ['.changeset/README.md', false],
  ])('%s: %s', (path, expected) => {
    expect(isPage(path)).toBe(expected);
  });

  it('has pages of docs/ at the top, and READMEs as the index of their folder', () => {
    expect(['README.md', 'docs/memory.md', 'docs/methods/README.md', 'packages/core/README.md'].map(sitePath)).toEqual([
      'index.md',
      'memory.md',
      'methods/index.md',
      'packages/core/index.md',
    ]);
  });
});

describe('links', () => {
  it.each([
    ['methods/dgl.md', 'docs/memory.md', '/methods/dgl.md'],
    ['../README.md#try-it', 'docs/memory.md', '/index.md#try-it'],
    ['packages/methods/dgl', 'README.md', '/packages/methods/dgl/index.md'],
    ['#packages', 'README.md', '#packages'],
    ['https://arxiv.org/abs/1901.08164', 'README.md', 'https://arxiv.org/abs/1901.08164'],
  ])('%s in %s leads to %s', (link, file, expected) => {
    expect(resolveLink(link, from(file))).toBe(expected);
  });

  it('to other files lead to the repository', () => {
    expect(resolveLink('../benchmarks/targets.csv', from('docs/results.md'))).toBe(
      `${repository()}/blob/main/benchmarks/targets.csv`,
    );
    expect(resolveLink('../benchmarks/recipes', from('docs/results.md'))).toBe(
      `${repository()}/tree/main/benchmarks/recipes`,
    );
  });

  it('use the anchors of GitHub', () => {
    expect(slugOf('2. Time and memory of a step, against PyTorch')).toBe('2-time-and-memory-of-a-step-against-pytorch');
  });
});

describe('numbers', () => {
  it.each([
    ['0.48 × its memory', '0.48_× its memory'],
    ['73.5 ± 0.9 and 95 % of them', '73.5_±_0.9 and 95_% of them'],
    ['ResNet-32, K = 16', 'ResNet-32, K_=_16'],
    ['PARK = 3, a × b', 'PARK = 3, a × b'],
  ])('stay on one line with unit and sign: %s', (text, expected) => {
    expect(withoutBreaks(text).replaceAll('\u00a0', '_')).toBe(expected);
  });
});
