export { CheckpointFolder, type CheckpointFolderOptions, type StoredCheckpoint } from './checkpoint-folder.js';
