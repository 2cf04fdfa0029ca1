import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

const config = runConfigSchema.parse({
  method: 'greedy',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  epochs: 1,
  batch: 20,
  backend: 'cpu',
});

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-foreign-'));
  folder = join(parent, 'project');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** Content by path. */
function everything(): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}

const execute = (resume: 'auto' | 'never' = 'auto', output = folder) =>
  executeRun({ config, folder: output, resume, trackers: { csv: true } });

describe('executeRun', () => {
  it.each(['auto', 'never'] as const)('does not change a third-party project (resume: %s)', async (resume) => {
    const project = {
      'checkpoints/best_model.pt': 'weights',
      'metrics.jsonl': '{"mine":1}\n',
      'weights.safetensors': 'mine',
      'epochs.csv': 'mine',
      'train.py': 'print()',
    };
    put(project);
    await expect(execute(resume)).rejects.toThrow(
      /was not created by localgrad: it contains 'checkpoints', 'epochs\.csv', 'metrics\.jsonl' and 2 more/,
    );
    expect(everything()).toEqual(project);
  });

  it.each(['', '- a\n', 'a: [1\n', 'defaults:\n  - model: resnet\n'])(
    'rejects a folder whose config.yaml belongs to another program (%j)',
    async (text) => {
      put({ 'config.yaml': text });
      await expect(execute()).rejects.toMatchObject({
        code: 'invalid-option',
        message: expect.stringContaining("Its 'config.yaml' is not the config of a localgrad run."),
      });
      expect(everything()).toEqual({ 'config.yaml': text });
    },
  );

  it('reports its own config.yaml if damaged', async () => {
    await execute();
    put({ 'config.yaml': 'method: [' });
    await expect(execute()).rejects.toMatchObject({
      code: 'invalid-data',
      message: expect.stringMatching(/config\.yaml' is not the config of a localgrad run: it was damaged or replaced/),
    });
  });

  it('keeps user files in a run folder when the run finishes and starts over', async () => {
    await execute();
    const mine = { 'checkpoints/best_model.pt': 'weights', 'notes.txt': 'good one', 'draft.partial': 'film' };
    put(mine);
    expect((await execute('never'))?.wasFinished).toBe(false);
    expect(everything()).toMatchObject(mine);
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['best_model.pt']);
  });

  it("does not replace the user's epochs.csv in the folder of a run that wrote none", async () => {
    await executeRun({ config, folder, resume: 'auto' });
    put({ 'epochs.csv': 'mine' });
    await expect(execute('never')).rejects.toThrow(/epochs\.csv' was not written by localgrad and is not overwritten/);
    expect(everything()['epochs.csv']).toBe('mine');
  });

  it('resumes in a folder of an earlier version without a marker', async () => {
    await execute();
    rmSync(join(folder, '.localgrad.json'));
    expect((await execute())?.wasFinished).toBe(true);
    expect((await execute('never'))?.wasFinished).toBe(false);
    expect(existsSync(join(folder, '.localgrad.json'))).toBe(true);
  });

  it.each([['absolute'], ['relative']])(
    'finishes if the working folder is removed during the run (output: %s)',
    async (kind) => {
      const before = process.cwd();
      const working = join(parent, 'working');
      mkdirSync(working);
      process.chdir(working);
      try {
        const removed = {
          observe: ({ type }: { readonly type: string }) =>
            void (type === 'run-start' && rmSync(working, { recursive: true })),
        };
        const output = kind === 'absolute' ? folder : '../project';
        const result = await executeRun({ config, folder: output, resume: 'auto', observers: [removed] });
        expect(result?.summary.steps).toBe(2);
        expect(existsSync(join(folder, 'summary.json'))).toBe(true);
      } finally {
        process.chdir(before);
      }
    },
  );

  it('reports a working folder that was removed before the command started', async () => {
    vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw Object.assign(new Error('ENOENT: uv_cwd'), { code: 'ENOENT' });
    });
    try {
      await expect(executeRun({ config, folder: 'other', resume: 'auto' })).rejects.toThrow(
        "The current working folder no longer exists, so 'other' cannot be resolved. Change to another folder.",
      );
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('rejects a path that cannot be a folder, and writes nothing', async () => {
    writeFileSync(folder, '');
    for (const output of ['', folder, join(folder, 'run'), join(parent, 'a'.repeat(300))]) {
      await expect(execute('auto', output)).rejects.toMatchObject({ code: 'invalid-option' });
    }
    expect(readdirSync(parent)).toEqual(['project']);
    expect(existsSync('config.yaml')).toBe(false);
  });
});
