import type { TrainingCheckpoint } from '@localgrad/train';
import type { History, OwnImages } from './protocol.js';

/** A run that can be resumed after the page was reloaded or closed. */
export interface StoredRun {
  readonly identity: string;
  readonly checkpoint: TrainingCheckpoint;
  readonly history: History;
  readonly isFinished: boolean;
}

const stores = { runs: 'runs', images: 'images' } as const;

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('localgrad-playground', 1);
  request.onupgradeneeded = () => {
    for (const name of Object.values(stores)) request.result.createObjectStore(name);
  };
  return resultOf(request);
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function withStore<T>(
  name: keyof typeof stores,
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await openDatabase();
  try {
    const transaction = database.transaction(stores[name], mode);
    const request = act(transaction.objectStore(stores[name]));
    await endOf(transaction);
    return request.result;
  } finally {
    database.close();
  }
}

/** A request that succeeded is stored only when its transaction is complete: a full disk aborts it afterwards. */
function endOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** One run is kept for each of the two places, the newest. */
export async function saveRun(index: number, run: StoredRun): Promise<void> {
  await withStore('runs', 'readwrite', (store) => store.put(run, index));
}

/** The stored run of a place, if it is that of these settings. */
export async function loadRun(index: number, identity: string): Promise<StoredRun | undefined> {
  const run: StoredRun | undefined = await withStore('runs', 'readonly', (store) => store.get(index));
  return run?.identity === identity ? run : undefined;
}

export async function removeRun(index: number): Promise<void> {
  await withStore('runs', 'readwrite', (store) => store.delete(index));
}

export async function saveImages(images: OwnImages): Promise<void> {
  await withStore('images', 'readwrite', (store) => store.put(images, 'own'));
}

export async function loadImages(): Promise<OwnImages | undefined> {
  return withStore('images', 'readonly', (store): IDBRequest<OwnImages | undefined> => store.get('own'));
}
