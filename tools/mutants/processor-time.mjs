import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100;

/**
 * Seconds of processor time that the processes of a group have used, with the ended processes that they waited for; undefined
 * where `/proc` does not exist. How long a test takes by the clock depends on what else the machine does.
 *
 * @param {number} group
 */
export function processorSeconds(group) {
  let pids;
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  return pids.reduce((total, pid) => total + secondsOf(pid, group), 0);
}

function secondsOf(pid, group) {
  try {
    // After the name in parentheses: state, parent, group, …, and from the twelfth on the times in ticks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    if (Number(fields[2]) !== group) return 0;
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    // It has ended in the meantime.
    return 0;
  }
}
