import { describe, expect, it } from 'vitest';
import { hostsOf } from './host-list.js';
import { findMember } from './member.js';

describe('hostsOf', () => {
  it.each([
    ['node1', ['node1']],
    ['node[01-03,07],gpu1', ['node01', 'node02', 'node03', 'node07', 'gpu1']],
    ['a,b[9-11]', ['a', 'b9', 'b10', 'b11']],
    ['r[0-1]n[1-2].example', ['r0n1.example', 'r0n2.example', 'r1n1.example', 'r1n2.example']],
    ['', []],
  ])('expands %s', (list, hosts) => expect(hostsOf(list)).toEqual(hosts));
});

describe('findMember', () => {
  it('reads rank and hosts from options', () => {
    expect(findMember({ rank: 1, hosts: 'a:7000, b,[fe80::1]:7001', port: 9 }, {})).toEqual({
      rank: 1,
      ranks: 3,
      first: { host: 'a', port: 7000 },
      own: { host: 'b', port: 9 },
      listenOn: undefined,
    });
    expect(findMember({ rank: 0, hosts: '127.0.0.1:7000,127.0.0.1:7001' }, {})?.listenOn).toBe('127.0.0.1');
  });

  const step = {
    SLURM_JOB_ID: '70',
    SLURM_STEP_ID: '2',
    SLURM_PROCID: '0',
    SLURM_NTASKS: '4',
    SLURM_STEP_NUM_TASKS: '2',
    SLURM_JOB_NODELIST: 'gpu[1-4]',
    SLURM_STEP_NODELIST: 'gpu[3-4]',
    SLURMD_NODENAME: 'gpu3',
  };

  it('finds its place in a step of Slurm, with a port for each job and step', () => {
    const first = { host: 'gpu3', port: 12_000 + 61 * 70 + 2 };
    expect(findMember({ workers: 2 }, step)).toEqual({ rank: 0, ranks: 2, first, own: first, listenOn: undefined });
    const second = { ...step, SLURM_PROCID: '1', SLURMD_NODENAME: 'gpu4' };
    expect(findMember({ workers: 2 }, second)).toMatchObject({ rank: 1, first, own: { host: 'gpu4', port: 0 } });
    expect(findMember({ workers: 2, port: 7000 }, second)?.first.port).toBe(7000);
  });

  it('leaves runs in one process alone: outside of steps, with one task, and without anything to divide', () => {
    const { SLURM_STEP_ID: _, ...batchScript } = step;
    expect(findMember({ workers: 2 }, batchScript)).toBeUndefined();
    expect(findMember({ workers: 2 }, { ...step, SLURM_STEP_NUM_TASKS: '1' })).toBeUndefined();
    expect(findMember({ workers: 1 }, step)).toBeUndefined();
    expect(findMember({ workers: 2 }, { JOB_COMPLETION_INDEX: '1' })).toBeUndefined();
  });

  it('finds its place in an indexed Job of Kubernetes by a pattern of hosts', () => {
    const hosts = 'train-{rank}.train:7000';
    expect(findMember({ workers: 3, hosts }, { JOB_COMPLETION_INDEX: '2' })).toMatchObject({
      rank: 2,
      ranks: 3,
      first: { host: 'train-0.train', port: 7000 },
      own: { host: 'train-2.train', port: 7000 },
    });
  });

  it.each<[Readonly<Record<string, string>>, string]>([
    [{ JOB_COMPLETION_INDEX: '2' }, "JOB_COMPLETION_INDEX '2': there are 2 hosts; allowed: 0 to 1."],
    [{ JOB_COMPLETION_INDEX: 'x' }, "JOB_COMPLETION_INDEX 'x': there are 2 hosts; allowed: 0 to 1."],
    [{ SLURM_PROCID: '3' }, "SLURM_PROCID '3': there are 2 hosts; allowed: 0 to 1."],
    [{ JOB_COMPLETION_INDEX: '' }, "hosts 'a,b': it does not say which of them is this machine"],
  ])('rejects ranks of the environment by its variable: %j', (environment, message) => {
    expect(() => findMember({ hosts: 'a,b' }, environment)).toThrow(message);
    expect(findMember({ hosts: 'a,b', rank: 1 }, environment)?.rank).toBe(1);
  });

  it.each([
    [{ hosts: 'a,b' }, "hosts 'a,b': it does not say which of them is this machine; allowed: with its rank, 0 to 1."],
    [{ hosts: 'a,b', rank: 2 }, 'rank 2: there are 2 hosts; allowed: 0 to 1.'],
    [{ rank: 1 }, 'rank 1: it has no effect without hosts; allowed: hosts such as a:7000,b:7000.'],
    [{ hosts: 'a:x,b', rank: 0 }, /^hosts 'a:x,b': 'a:x' is not a host; allowed: /],
    [{ hosts: 'a:99999', rank: 0 }, /'a:99999' is not a host/],
    [{ hosts: 'w-{rank}', rank: 0 }, /a pattern does not say how many machines there are/],
  ])('rejects %j', (options, message) => {
    expect(() => findMember(options, {})).toThrow(message);
  });
});
