import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processorSeconds } from './processor-time.mjs';

const controlEvery = 25;
/** Seconds of processor time of a round: the first one also starts vitest; later ones may take a multiple of it. */
const startSeconds = 240;
const leastSeconds = 10;
/** Seconds by the clock after which a round that waits, and computes hardly anything, has ended. */
const waitingSeconds = 120;
const leastShare = 0.01;

/**
 * Verdict on one mutant: killed by a failing test, by an endless loop or wait, by a crash; or survived.
 *
 * @typedef {{ state: 'killed' | 'survived' | 'timeout' | 'crash', by?: string }} Verdict
 */

/**
 * Runs the tests for each mutant. After every 25 mutants the unchanged sources must pass in the same process; if a mutant has
 * damaged the process, the verdicts since the last such control are dropped and these mutants run again.
 *
 * @param {string[]} tests
 * @param {import('./mutate.mjs').Mutant[]} mutants
 * @param {(mutant: import('./mutate.mjs').Mutant, verdict: Verdict) => void} report
 */
export async function judge(tests, mutants, report) {
  let every = controlEvery;
  let why = '';
  for (let open = [...mutants.keys()]; open.length > 0; ) {
    const judged = new Set();
    const isControlled = await session(
      tests,
      mutants,
      roundsOf(open, every),
      (index, verdict) => {
        judged.add(index);
        report(mutants[index], verdict);
      },
      (reason) => {
        why = reason;
      },
    );
    if (!isControlled && judged.size === 0 && every === 1) {
      throw new Error(`The unchanged tests fail, or do not end: ${why}. Tests: ${tests.join(', ')}.`);
    }
    open = open.filter((index) => !judged.has(index));
    every = isControlled ? controlEvery : 1;
  }
}

function roundsOf(indices, every) {
  const rounds = ['control0'];
  indices.forEach((index, position) => {
    rounds.push(String(index));
    if ((position + 1) % every === 0 || position + 1 === indices.length) rounds.push(`control${position + 1}`);
  });
  return rounds;
}

/**
 * Runs one process until it has judged all rounds, or must be ended.
 *
 * @returns whether all controls so far have passed
 */
function session(tests, mutants, rounds, report, complain) {
  let isControlled = true;
  let pending = new Map();
  let position = 0;
  let modules = 0;
  let failure;
  let limit = startSeconds;
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-mutants-'));
  const child = fork(fileURLToPath(new URL('session.mjs', import.meta.url)), [], {
    // Its own process group: the worker of a hanging vitest ends with it.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, TMPDIR: folder },
  });
  const used = () => processorSeconds(child.pid) ?? performance.now() / 1000;
  let started = used();
  let seen = { used: started, at: Date.now() };
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {}
  };
  const commit = () => {
    for (const [index, verdict] of pending) report(index, verdict);
    pending = new Map();
  };
  process.once('exit', end);
  return new Promise((settle) => {
    const stop = (state) => {
      const round = rounds[position];
      // The mutants before were not followed by a control; a hang or a crash is evidence enough for the current one.
      if (round !== undefined && !round.startsWith('control')) {
        commit();
        report(Number(round), { state });
      } else if (round !== undefined) {
        isControlled = false;
        complain(state);
      }
      position = rounds.length;
      end();
    };
    const timer = setInterval(() => {
      const now = used();
      const waited = (Date.now() - seen.at) / 1000;
      if (now - started > limit || (waited > waitingSeconds && now - seen.used < leastShare * waited)) stop('timeout');
      if (waited > waitingSeconds) seen = { used: now, at: Date.now() };
    }, 1000);
    child.on('message', ({ round, passed, test, message }) => {
      if (round !== rounds[position]) return;
      if (!passed) failure ??= { state: 'killed', by: test ?? message, message };
      if (++modules < tests.length) return;
      const isControl = round.startsWith('control');
      if (isControl && failure !== undefined) {
        isControlled = false;
        complain(`${failure.by}: ${failure.message}`);
        position = rounds.length;
        end();
        return;
      }
      if (isControl) commit();
      else pending.set(Number(round), failure ?? { state: 'survived' });
      if (position === 0) limit = Math.max(leastSeconds, 4 * (used() - started));
      started = used();
      seen = { used: started, at: Date.now() };
      position++;
      modules = 0;
      failure = undefined;
    });
    child.once('exit', () => {
      if (position < rounds.length) stop('crash');
      clearInterval(timer);
      process.off('exit', end);
      end();
      rmSync(folder, { recursive: true, force: true });
      settle(isControlled);
    });
    child.send({ tests, mutants, rounds });
  });
}
