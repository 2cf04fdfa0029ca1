export { cacheFolder } from './cache-folder.js';
export { createFolders, createFoldersSync } from './create-folders.js';
export { folderError } from './folder-error.js';
export { readWholeFile, rejectDevice, rejectDeviceSync } from './read-whole-file.js';
export { removeFolders } from './remove-folders.js';
export { type BusyOptions, whileBusy, whileBusySync } from './while-busy.js';
