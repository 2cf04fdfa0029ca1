import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultShared, type Settings } from '../settings/settings.js';
import { memoryDatabase } from './database.fixture.js';
import type { OwnImages, Reply, Status } from './protocol.js';
import { Session } from './session.js';
import { loadImages, saveImages } from './store.js';

const settings: Settings = {
  shared: {
    ...defaultShared,
    dataset: 'own',
    backbone: 'tiny',
    resize: 8,
    epochs: 1,
    batch: 5,
    backend: 'wasm',
    threads: 1,
  },
  runs: [{ method: 'backprop', modules: 1 }],
};

/** Ten pictures of two classes; other seeds have other pixels. */
function pictures(seed: number): OwnImages {
  const part = () => ({
    images: Uint8Array.from({ length: 10 * 8 * 8 * 3 }, (_, index) => (index * 7 * seed) % 256),
    labels: Int32Array.from({ length: 10 }, (_, index) => index % 2),
  });
  return { name: 'photos', classes: ['cat', 'dog'], size: 8, train: part(), test: part() };
}

let replies: Reply[];
let session: Session;

beforeEach(() => {
  replies = [];
  session = new Session((reply) => replies.push(reply));
});
afterEach(() => vi.unstubAllGlobals());

const last = () => replies.flatMap((reply) => ('status' in reply ? [reply.status] : [])).at(-1);
const reach = (status: Status) => vi.waitFor(() => expect(last()).toBe(status), { timeout: 30_000, interval: 10 });
const problems = () => replies.flatMap((reply) => (reply.type === 'store' ? [reply.problem] : []));

async function train(images: OwnImages): Promise<void> {
  await session.open(settings, 0, images);
  session.start();
  await reach('finished');
}

describe('a run in a worker', () => {
  it('is restored for the same pictures, and not for others in a folder of the same name', async () => {
    vi.stubGlobal('indexedDB', memoryDatabase());
    await train(pictures(1));
    expect(problems()).toContain(undefined);
    await session.open(settings, 0, pictures(2));
    expect(last()).toBe('ready');
    await session.open(settings, 0, pictures(1));
    expect(last()).toBe('finished');
    expect(replies.at(-1)).toMatchObject({ type: 'restored', step: 2 });
  });

  it('trains where the browser blocks its database, and says that it is not stored', async () => {
    const open = () => {
      throw new Error('The user denied permission to access the database.');
    };
    vi.stubGlobal('indexedDB', { open });
    await train(pictures(1));
    expect(new Set(problems())).toEqual(new Set(['The user denied permission to access the database.']));
    await session.reset();
    expect(last()).toBe('ready');
  });

  it('trains when the disk is full, and says so', async () => {
    let isFull = false;
    vi.stubGlobal(
      'indexedDB',
      memoryDatabase({ failsWith: () => (isFull ? new Error('The disk is full.') : undefined) }),
    );
    await session.open(settings, 0, pictures(1));
    isFull = true;
    session.start();
    await reach('finished');
    expect(problems()).toEqual([
      undefined,
      ...problems()
        .slice(1)
        .map(() => 'The disk is full.'),
    ]);
    expect(problems().length).toBeGreaterThan(1);
  });
});

describe('the store', () => {
  it('rejects what was not written although its request succeeded', async () => {
    vi.stubGlobal('indexedDB', memoryDatabase({ failsWith: () => new Error('QuotaExceededError') }));
    await expect(saveImages(pictures(1))).rejects.toThrow('QuotaExceededError');
  });

  it('returns what was written', async () => {
    vi.stubGlobal('indexedDB', memoryDatabase());
    expect(await loadImages()).toBeUndefined();
    await saveImages(pictures(1));
    expect(await loadImages()).toEqual(pictures(1));
  });
});
