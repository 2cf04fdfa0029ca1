import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCodeOf } from '@localgrad/core';

/** Identifies a process uniquely, also among later processes with the same number. */
export interface ProcessIdentity {
  /** Machine, its boot and its space of process numbers: names alone are often the same, and so are containers' numbers. */
  readonly host: string;
  readonly pid: number;
  /** Start of the process in ticks since boot, if available (Linux). */
  readonly startTicks: string | null;
}

export function thisProcess(): ProcessIdentity {
  return { host: thisHost, pid: process.pid, startTicks: startTicksOf(process.pid) };
}

/**
 * Undefined if unknown: for processes of other hosts, and if the system does not report the start time
 * (macOS, Windows, `hidepid`), since another process may have got the number.
 */
export function isAlive({ host, pid, startTicks }: ProcessIdentity): boolean | undefined {
  if (host !== thisHost) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCodeOf(error) === 'ESRCH') return false;
  }
  const ticks = startTicks === null ? null : startTicksOf(pid);
  return ticks === null ? undefined : startTicks === ticks;
}

const thisHost = [
  hostname(),
  attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
  attempt(() => readlinkSync('/proc/self/ns/pid')),
]
  .filter((part) => part !== null)
  .join(' ');

/** Null on systems without it. */
function attempt(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function startTicksOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may contain spaces; state is the first field after it, the start time the twentieth. A
    // zombie no longer owns anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
  } catch {
    return null;
  }
}
