import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSystem, hashOf } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { parseExperiment } from '../files/experiment.js';
import { loadStudy } from './load-study.js';
import { summaryOf } from './summary.fixture.js';
import { readSweep, runFolderOf, type Sweep, writeSweep } from './sweep-folder.js';
import { readSweepStatus } from './sweep-status.js';
import { workOn } from './work.js';

const schema = z.strictObject({ method: z.string(), seed: z.int().default(1) });

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'localgrad-damaged-')), 'sweep');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

async function prepare(methods = 'a, b'): Promise<Sweep> {
  const text = `name: e\nbase: { method: "{m}" }\nfactors: { m: [${methods}] }\nseeds: 2\n`;
  return writeSweep(folder, await parseExperiment(text, 'e.yaml', { schema }), { runIdOf: hashOf });
}

const indicesOf = ({ tasks }: Sweep) => tasks.map(({ index, name }) => `${index} ${name}`);

/** As versions before 0.1.0 wrote it: runs in `tasks.jsonl` only, and no marker. */
async function prepareAsEarlierVersion(): Promise<Sweep> {
  const sweep = await prepare();
  const {
    tasks: _,
    source: __,
    nextIndex: ___,
    ...description
  } = JSON.parse(readFileSync(join(folder, 'sweep.json'), 'utf8'));
  writeFileSync(join(folder, 'sweep.json'), JSON.stringify(description));
  for (const name of ['.localgrad.json', 'claims']) rmSync(join(folder, name), { recursive: true });
  return sweep;
}

describe('a sweep folder', () => {
  it.each(['missing', 'cut', 'empty'])('loses no run where tasks.jsonl is %s, and no index', async (damage) => {
    const before = await prepare();
    const file = join(folder, 'tasks.jsonl');
    const whole = readFileSync(file, 'utf8');
    if (damage === 'missing') rmSync(file);
    else truncateSync(file, damage === 'cut' ? 200 : 0);
    expect(await readSweep(folder)).toEqual(before);
    expect(indicesOf(await prepare('b, c'))).toEqual(['1 b, seed 1', '4 c, seed 1', '3 b, seed 2', '5 c, seed 2']);
    rmSync(file);
    await prepare();
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(whole.split('\n').length);
  });

  it('written by an earlier version is read and updated, and keeps its indices', async () => {
    const before = await prepareAsEarlierVersion();
    expect(await readSweep(folder)).toEqual(before);
    const after = await prepare('c, b');
    expect(indicesOf(after)).toEqual(['4 c, seed 1', '1 b, seed 1', '5 c, seed 2', '3 b, seed 2']);
    expect(await readSweep(folder)).toEqual(after);
  });

  it.each([
    ['missing', () => '', /tasks\.jsonl' is damaged: it has 0 runs instead of 4/],
    ['cut between lines', (text: string) => text.split('\n').slice(0, 2).join('\n'), /it has 2 runs instead of 4/],
    ['cut within a line', (text: string) => text.slice(0, -20), /tasks\.jsonl:4' is damaged: it is not JSON/],
    ['of something else', () => '{}\n{}\n{}\n{}\n', /tasks\.jsonl:1' is damaged: it is not a run of a localgrad sweep/],
  ])(
    'written by an earlier version is rejected if its tasks.jsonl is %s, and nothing is renumbered',
    async (_, damage, message) => {
      await prepareAsEarlierVersion();
      const file = join(folder, 'tasks.jsonl');
      const damaged = damage(readFileSync(file, 'utf8'));
      writeFileSync(file, damaged);
      await expect(readSweep(folder)).rejects.toThrow(message);
      await expect(prepare('c, d')).rejects.toMatchObject({ code: 'invalid-option' });
      expect(readFileSync(file, 'utf8')).toBe(damaged);
    },
  );

  it.each([
    ['', /sweep\.json' is damaged: it is empty/],
    ['null', /sweep\.json' is damaged: it is not the description of a localgrad sweep/],
    ['{}', /formatVersion: format version undefined; this program reads 1/],
    ['{"formatVersion":0}', /format version 0; this program reads 1/],
    [
      '{"formatVersion":2}',
      /sweep\.json' was written by a newer version of localgrad: it has format version 2, and this version reads up to 1\. Update localgrad\./,
    ],
    ['[', /it is not JSON/],
  ])('is reported as damaged by readers and writers if its sweep.json is %j', async (content, message) => {
    await prepare();
    writeFileSync(join(folder, 'sweep.json'), content);
    await expect(readSweep(folder)).rejects.toThrow(message);
    await expect(prepare()).rejects.toThrow(message);
    expect(readFileSync(join(folder, 'sweep.json'), 'utf8')).toBe(content);
  });

  it.each([
    ['two runs with one index', (tasks: { index: number }[]) => tasks.map((task) => ({ ...task, index: 0 }))],
    ['3 runs instead of 4', (tasks: { index: number }[]) => tasks.slice(1)],
    [
      'an index of 7, and 4 as the next one',
      (tasks: { index: number }[]) => [{ ...tasks[0], index: 7 }, ...tasks.slice(1)],
    ],
  ])('is rejected if its description contradicts itself: %s', async (problem, change) => {
    await prepare();
    const file = join(folder, 'sweep.json');
    const description = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...description, tasks: change(description.tasks) }));
    await expect(readSweep(folder)).rejects.toThrow(`it has ${problem}`);
  });

  it('is the old sweep or the new one wherever its writer is killed', async () => {
    const before = indicesOf(await prepare());
    const { rename } = fileSystem;
    for (const killedAt of ['sweep.json', 'experiment.yaml', 'tasks.jsonl']) {
      vi.spyOn(fileSystem, 'rename').mockImplementation(async (from, to) => {
        if (to.endsWith(killedAt)) throw new Error('killed');
        return rename(from, to);
      });
      await expect(prepare('b, c')).rejects.toThrow('killed');
      vi.restoreAllMocks();
      const indices = indicesOf(await readSweep(folder));
      const after = ['1 b, seed 1', '4 c, seed 1', '3 b, seed 2', '5 c, seed 2'];
      expect(indices).toEqual(killedAt === 'sweep.json' ? before : after);
      expect(indicesOf(await prepare('b, c'))).toEqual(after);
    }
  });

  it('assigns no index twice if two processes write it at the same time', async () => {
    await prepare();
    const [one, two] = await Promise.all([prepare('a, b, c'), prepare('a, b, d')]);
    const indices = new Map([...one.tasks, ...two.tasks].map(({ name, index }) => [name, index]));
    expect(new Set(indices.values()).size).toBe(indices.size);
    expect(indices.size).toBe(8);
  });

  it('is not written over files that are not localgrad’s', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'experiment.yaml'), 'mine');
    await expect(prepare()).rejects.toThrow(
      /was not created by localgrad: it contains 'experiment\.yaml'.*for --folder/,
    );
    expect(readdirSync(folder)).toEqual(['experiment.yaml']);
  });
});

describe('a sweep with damaged files of one run', () => {
  it.each(['', 'null', '[]', '{}', '{"testAccuracy"'])(
    'shows and works on all others (summary: %j)',
    async (content) => {
      const sweep = await prepare();
      for (const task of sweep.tasks) {
        mkdirSync(runFolderOf(sweep, task), { recursive: true });
        writeFileSync(join(runFolderOf(sweep, task), 'summary.json'), JSON.stringify(summaryOf(task.runId)));
      }
      const [broken] = sweep.tasks;
      if (broken === undefined) throw new Error('no tasks');
      const file = join(runFolderOf(sweep, broken), 'summary.json');
      writeFileSync(file, content);
      const status = await readSweepStatus(sweep);
      expect(status.counts).toMatchObject({ finished: 3, unreadable: 1, failed: 0 });
      expect(status.tasks[0]).toMatchObject({ status: 'unreadable', message: expect.stringContaining(`'${file}'`) });
      const study = await loadStudy(sweep);
      expect(study.conditions.map(({ runs }) => runs.length)).toEqual([1, 2]);
      expect(study.problems).toEqual([
        expect.stringMatching(/^Run 'a, seed 1' is missing: '.*summary\.json' is damaged/),
      ]);
      const worked: string[] = [];
      const execute = async (task: { readonly name: string; readonly runId: string }) => {
        worked.push(task.name);
        writeFileSync(file, JSON.stringify(summaryOf(task.runId)));
        return 'finished' as const;
      };
      expect(await workOn({ sweep, execute })).toBe(1);
      expect(worked).toEqual(['a, seed 1']);
      expect((await readSweepStatus(sweep)).counts.finished).toBe(4);
    },
  );

  it('shows a result with a damaged environment, and reports the damage', async () => {
    const sweep = await prepare('a');
    const [task] = sweep.tasks;
    if (task === undefined) throw new Error('no tasks');
    const run = runFolderOf(sweep, task);
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'summary.json'), JSON.stringify(summaryOf(task.runId)));
    writeFileSync(join(run, 'environment.json'), '{}');
    const study = await loadStudy(sweep);
    expect(study.conditions[0]?.runs).toMatchObject([{ seed: 1, environment: null }]);
    expect(study.problems).toEqual([expect.stringMatching(/^The environment of run 'a, seed 1' is unknown: /)]);
  });
});
