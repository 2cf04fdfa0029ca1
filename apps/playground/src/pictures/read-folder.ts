/** A picture and the names of its folders, from the outermost. */
export interface Picture {
  readonly folders: readonly string[];
  readonly file: File;
}

/** Most pictures that are read. */
const mostPictures = 20_000;

/** The pictures of a folder that was dropped on the page, with all folders within it. */
export async function picturesOfDrop(transfer: DataTransfer): Promise<Picture[]> {
  // Entries must be read before the event ends.
  const entries = Array.from(transfer.items).flatMap((item) => item.webkitGetAsEntry() ?? []);
  const pictures: Picture[] = [];
  for (const entry of entries) await collect(entry, [], pictures);
  return pictures;
}

/** The pictures of a folder that was chosen in a dialog. */
export function picturesOfFiles(files: FileList): Picture[] {
  return Array.from(files)
    .filter(isPicture)
    .slice(0, mostPictures)
    .map((file) => ({ folders: file.webkitRelativePath.split('/').slice(0, -1), file }));
}

async function collect(entry: FileSystemEntry, folders: readonly string[], pictures: Picture[]): Promise<void> {
  if (pictures.length >= mostPictures) return;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    if (isPicture(file)) pictures.push({ folders, file });
  } else if (isDirectory(entry)) {
    const reader = entry.createReader();
    for (;;) {
      // A reader returns about a hundred entries at once, and none at the end.
      const children = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (children.length === 0) return;
      for (const child of children) await collect(child, [...folders, entry.name], pictures);
    }
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function isPicture({ type, name }: File): boolean {
  return type.startsWith('image/') && !name.startsWith('.');
}
