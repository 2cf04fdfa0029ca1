import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { loadDataset } from '../registry.js';
import { datasetFolder, fetchDataset } from './fetch-dataset.js';
import { datasetSources } from './sources.js';

const root = mkdtempSync(join(tmpdir(), 'localgrad-fetch-'));
afterAll(() => {
  rmSync(root, { recursive: true });
  vi.unstubAllEnvs();
});

describe('fetchDataset', () => {
  it('reports missing files offline, with the URL and the alternative', async () => {
    const folder = join(root, 'offline');
    const fetching = fetchDataset('cifar10', { folder, offline: true });
    await expect(fetching).rejects.toMatchObject({ code: 'missing-dependency' });
    await expect(fetching).rejects.toThrow(
      /cifar-10-binary\.tar\.gz was not found.*https:\/\/www\.cs\.toronto\.edu.*--from-dir/,
    );
    expect(existsSync(folder)).toBe(false);
    await expect(fetchDataset('cifar', { folder })).rejects.toThrow(/Unknown data set 'cifar'/);
  });

  it('does not overwrite or delete a file with other content', async () => {
    const folder = join(root, 'other');
    mkdirSync(folder);
    writeFileSync(join(folder, 'cifar-10-binary.tar.gz'), 'mine');
    await expect(fetchDataset('cifar10', { folder })).rejects.toThrow(
      /expected MD5 c32a.*found .* \(4 bytes\)\. Delete or rename it/,
    );
    expect(readdirSync(folder)).toEqual(['cifar-10-binary.tar.gz']);
  });

  it('copies from a folder, and leaves no part of a file with other content', async () => {
    const [from, folder] = [join(root, 'from'), join(root, 'to')];
    mkdirSync(from);
    writeFileSync(join(from, 'stl10_binary.tar.gz'), 'not the archive');
    await expect(fetchDataset('stl10', { folder, fromDir: from })).rejects.toThrow(
      /is not the published file: expected MD5 91f7/,
    );
    await expect(fetchDataset('cifar10', { folder, fromDir: from })).rejects.toThrow(
      /cifar-10-binary\.tar\.gz was not found/,
    );
    expect(existsSync(folder)).toBe(false);
  });

  it('removes the folders that it created after a failure, and explains folders that cannot be created', async () => {
    const options = { fromDir: join(root, 'nothing') };
    mkdirSync(join(root, 'existing'));
    const folder = join(root, 'existing', 'a', 'b');
    await expect(fetchDataset('cifar10', { folder, ...options })).rejects.toThrow(/was not found/);
    expect(readdirSync(join(root, 'existing'))).toEqual([]);
    writeFileSync(join(root, 'file'), '');
    const impossible = fetchDataset('cifar10', { folder: join(root, 'file'), ...options });
    await expect(impossible).rejects.toThrow(/^Cannot create folder '.*file': a file with this name exists\. Choose/);
    await expect(impossible).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('keeps available files of Fashion-MNIST, as Debian packs them too, and downloads extra only on request', async () => {
    const folder = '/usr/share/datasets/fashion-mnist';
    if (existsSync(folder)) {
      const target = join(root, 'fashion');
      const { files } = await fetchDataset('fashion-mnist', { folder: target, fromDir: folder });
      expect(files.map(({ state }) => state)).toEqual(['copied', 'copied', 'copied', 'copied']);
      const again = await fetchDataset('fashion-mnist', { folder: target, offline: true });
      expect(again.files.map(({ state }) => state)).toEqual(['present', 'present', 'present', 'present']);
    }
    expect(datasetSources.svhn?.files.filter(({ optional }) => optional).map(({ name }) => name)).toEqual([
      'extra_32x32.mat',
    ]);
  });

  it('stores files in the cache folder, where loadDataset finds them', async () => {
    vi.stubEnv('LOCALGRAD_CACHE', join(root, 'cache'));
    expect(datasetFolder('cifar100')).toBe(join(root, 'cache', 'datasets', 'cifar100'));
    await expect(loadDataset('cifar100')).rejects.toThrow(/needs option 'folder'.*localgrad data fetch cifar100/);
    mkdirSync(datasetFolder('cifar100'), { recursive: true });
    await expect(loadDataset('cifar100')).rejects.toThrow(/cache\/datasets\/cifar100' does not contain cifar100/);
  });
});
