import type { DownloadProgress } from '@localgrad/data';
import type { Terminal } from '../../terminal.js';

/** Progress in bytes on one line of standard error; without a terminal, one line per tenth of a file. */
export function progressLine({ stderr }: Terminal): { show(progress: DownloadProgress): void; end(): void } {
  let last = '';
  let isOpen = false;
  return {
    show({ file, received, total }) {
      const share = total === undefined || total === 0 ? undefined : received / total;
      const step = stderr.isTTY ? 100 : 10;
      const done = share === undefined ? '' : ` (${Math.floor((Math.floor(share * step) * 100) / step)} %)`;
      const line = `${file}: ${share === undefined || stderr.isTTY ? `${Math.floor(received / 1e6)} MB` : 'downloading'}${done}`;
      if (line === last) return;
      last = line;
      isOpen = stderr.isTTY === true;
      stderr.write(isOpen ? `\r${line.padEnd(60)}` : `${line}\n`);
    },
    end() {
      if (isOpen) stderr.write('\n');
    },
  };
}
