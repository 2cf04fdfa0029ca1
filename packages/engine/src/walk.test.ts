import { describe, expect, it } from 'vitest';
import type { Instruction } from './schedule.js';
import { type ScheduleDomain, walkSchedule } from './walk.js';

const forward: Instruction = { op: 'forward', module: 0, keep: true, repeat: false };
const evaluate: Instruction = { op: 'evaluate', module: 0, readsInput: false };

/** A domain of strings that records what it is asked to do. `arrives`: slots that a head fills. */
function walk(schedule: readonly Instruction[], arrives: readonly number[] = []) {
  const log: string[] = [];
  const domain: ScheduleDomain<string, string> = {
    images: 'images',
    forward: (module, input) => ({ output: `out${module}(${input})`, pass: `pass${module}` }),
    passThrough: (module, input) => `out${module}(${input})`,
    evaluate: (_module, _read, arrive) => {
      for (const from of arrives) arrive(from, `d${from}`);
    },
    vjp: (module, _pass, cotangent, { input }, keep) => {
      log.push(`vjp${module}(${keep ? 'kept ' : ''}${cotangent})`);
      return input ? 'dx' : undefined;
    },
    teach: (module, output, gradient) => log.push(`teach${module}(${output}, ${gradient})`),
    add: (sum, cotangent) => `${sum}+${cotangent}`,
    release: (_module, pass) => log.push(`release ${pass}`),
    free: (value) => log.push(`free ${value}`),
  };
  walkSchedule(schedule, domain);
  return log;
}

const finish: Instruction = { op: 'finish', module: 1, weights: true };
const two: Instruction[] = [forward, { ...forward, module: 1 }, { op: 'evaluate', module: 1, readsInput: false }];

describe('walkSchedule', () => {
  it('adds a cotangent that was sent on to those of the module, and keeps it there', () => {
    const send: Instruction = { op: 'send', module: 1, from: 0, keep: true };
    expect(walk([...two, send, finish, { op: 'finish', module: 0, weights: true }], [0, 1])).toEqual([
      'vjp1(kept d0)',
      'vjp1(d1+d0)',
      'release pass1',
      'vjp0(dx)',
      'release pass0',
    ]);
  });

  it('consumes a cotangent that a frozen module only passes on', () => {
    const send: Instruction = { op: 'send', module: 1, from: 0, keep: false };
    const after: Instruction = { op: 'finish', module: 1, weights: false, sendTo: -1 };
    expect(walk([...two, send, after], [-1, 0])).toEqual(['vjp1(d0)', 'vjp1(d-1)', 'release pass1']);
  });

  it('hands the gradient of a module that teaches to the heads before it, once the pass is released', () => {
    const below = 'out0(images)';
    expect(walk([...two, { ...finish, teaches: true }], [1])).toEqual([
      'vjp1(d1)',
      'release pass1',
      `teach0(${below}, dx)`,
    ]);
  });

  it.each<[string, readonly Instruction[], readonly number[]]>([
    ['output of module 0', [evaluate], []],
    ['output of module 0', [forward, { op: 'free', module: 0 }, { op: 'free', module: 0 }], []],
    ['pass of module 0', [{ op: 'drop', module: 0 }], []],
    ['pass of module 0', [forward, { op: 'drop', module: 0 }, { op: 'drop', module: 0 }], []],
    ['cotangent of module 0', [forward, evaluate, { op: 'finish', module: 0, weights: true }], []],
    ['cotangent of module 1', [...two, finish, { ...forward, module: 1 }, finish], [1]],
    ['gradient of the output of module 0', [forward, { op: 'teach', module: 0 }], []],
    ['slot (1, 0)', [...two, { op: 'send', module: 1, from: 0, keep: true }], [1]],
  ])('reports a schedule that needs a missing value: %s', (what, schedule, arrives) => {
    expect(() => walk(schedule, arrives)).toThrow(
      `Internal error: the schedule needs the ${what}, which does not exist`,
    );
  });

  it('reports a module that does not return a cotangent of its input', () => {
    const send: Instruction = { op: 'send', module: 1, from: 0, keep: true };
    const domainWithout = () => {
      const log: unknown[] = [];
      const domain: ScheduleDomain<string, string> = {
        images: '',
        forward: () => ({ output: 'out', pass: 'pass' }),
        passThrough: () => 'out',
        evaluate: (_module, _read, arrive) => arrive(0, 'd0'),
        vjp: () => undefined,
        teach: () => {},
        add: (sum) => sum,
        release: (_module, pass) => log.push(pass),
        free: (value) => log.push(value),
      };
      walkSchedule([...two, send], domain);
    };
    expect(domainWithout).toThrow(/needs the cotangent for slot \(0, 0\)/);
  });
});
