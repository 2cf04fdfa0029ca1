import { useCallback, useEffect, useState } from 'preact/hooks';
import type { OwnImages } from '../worker/protocol.js';
import { loadImages, saveImages } from '../worker/store.js';
import { decodePictures } from './decode.js';
import type { Picture } from './read-folder.js';

export interface Pictures {
  /** False until the pictures of the last visit have been looked for. */
  readonly isReady: boolean;
  readonly images: OwnImages | undefined;
  /** What is being done, or what went wrong. */
  readonly message: string;
  read(pictures: readonly Picture[], size: number): Promise<void>;
}

/** The visitor's own pictures: decoded in the page, kept in this browser, sent nowhere. */
export function usePictures(): Pictures {
  const [images, setImages] = useState<OwnImages>();
  const [message, setMessage] = useState('');
  const [isReady, setIsReady] = useState(false);
  useEffect(() => {
    loadImages()
      .then(
        (stored) => {
          if (stored !== undefined) setImages(stored);
        },
        () => setMessage('This browser keeps no pictures between visits.'),
      )
      .finally(() => setIsReady(true));
  }, []);
  const read = useCallback(async (pictures: readonly Picture[], size: number) => {
    try {
      setMessage(`Reading ${pictures.length} pictures …`);
      const decoded = await decodePictures(pictures, size, (done) =>
        setMessage(`Read ${done} of ${pictures.length} pictures …`),
      );
      setImages(decoded);
      setMessage('');
      await saveImages(decoded);
    } catch (error) {
      setMessage(error instanceof Error ? error.message : String(error));
    }
  }, []);
  return { isReady, images, message, read };
}
