import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Chromium of the system: Debian's, or the one named by CHROMIUM. */
const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why browser tests cannot run here; undefined if they can. */
export const obstacle = existsSync(executable)
  ? undefined
  : `Browser tests are skipped: ${executable} does not exist. On Debian: apt-get install chromium; elsewhere set CHROMIUM to its path.`;

if (obstacle !== undefined) console.warn(`\n${obstacle}\n`);

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable,
    // Containers run tests as root, and have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}
