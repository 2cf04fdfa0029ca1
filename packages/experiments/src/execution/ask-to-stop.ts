import type { ChildProcess } from 'node:child_process';

/**
 * Asks a worker to save its run and to end. Windows has no SIGTERM, in whose place Node.js ends the process at once, perhaps while it
 * saves after Ctrl-C; there the channel is closed, and the worker ends as one whose parent has ended.
 *
 * @param platform default: that of this process
 */
export function askToStop(child: ChildProcess, platform: NodeJS.Platform = process.platform): void {
  if (platform !== 'win32') child.kill('SIGTERM');
  else if (child.connected) child.disconnect();
}
