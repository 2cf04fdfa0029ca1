import { useState } from 'preact/hooks';
import { type Picture, picturesOfDrop, picturesOfFiles } from '../pictures/read-folder.js';
import type { Pictures } from '../pictures/use-pictures.js';
import { whole } from './format.js';

export interface PicturesFieldProps {
  readonly pictures: Pictures;
  /** Height and width to decode to. */
  readonly size: number;
}

/** Takes a folder of pictures by drag and drop, or from a dialog. */
export function PicturesField({ pictures: { images, message, read }, size }: PicturesFieldProps) {
  const [isOver, setIsOver] = useState(false);
  const onPictures = (found: readonly Picture[]) => void read(found, size);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same by keyboard.
    <div
      class={isOver ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        if (event.dataTransfer !== null) void picturesOfDrop(event.dataTransfer).then(onPictures);
      }}
    >
      <p>
        Drop a folder here: one folder per class, or <code>train</code> and <code>test</code> with such folders. The
        pictures stay in this browser.
      </p>
      <label class="button">
        Choose a folder
        <input
          class="visually-hidden"
          type="file"
          multiple
          {...{ webkitdirectory: true }}
          onChange={({ currentTarget }) => {
            if (currentTarget.files !== null) onPictures(picturesOfFiles(currentTarget.files));
          }}
        />
      </label>
      <p aria-live="polite">{message || (images !== undefined && summary(images))}</p>
    </div>
  );
}

function summary({ name, classes, train, test, size }: NonNullable<Pictures['images']>): string {
  const shown = classes.length > 6 ? `${classes.slice(0, 6).join(', ')}, …` : classes.join(', ');
  return `${name}: ${whole(train.labels.length)} training and ${whole(test.labels.length)} test pictures of ${size} × ${size} in ${classes.length} classes (${shown}).`;
}
