export { type Digest, differentDigests, digestOfFile } from './digest.js';
export {
  type DownloadOptions,
  type DownloadProgress,
  downloadFile,
  downloadOptionNames,
  type PublishedFile,
} from './download-file.js';
export { withLock } from './lock.js';
