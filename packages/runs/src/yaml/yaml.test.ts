import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRunFile, readRunFile } from '../config/yaml-file.js';
import { parseYaml } from './yaml-document.js';

function problemsOf(text: string): string[] {
  try {
    parseYaml(text, 'run.yaml', ['epochs', 'batch']);
  } catch (error) {
    if (LocalgradError.isInstance(error) && error.code === 'invalid-data') return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('aliases', () => {
  it('stand for their anchors', () => {
    expect(parseRunFile('epochs: &n 3\nbatch: *n\n', 'run.yaml')).toEqual({ epochs: 3, batch: 3 });
  });

  it('without an anchor are reported with their position', () => {
    expect(problemsOf('epochs: *n\n')).toEqual([
      "run.yaml:1:9: alias '*n' names no anchor; the file has none before it",
    ]);
    expect(problemsOf('a: &one 1\nb: *two\nc: &two 2\n')).toEqual([
      "run.yaml:2:4: alias '*two' names no anchor; before it: &one",
    ]);
  });

  it('that contain themselves are reported with their position', () => {
    expect(problemsOf('a: &a\n  b: [*a]\n')).toEqual(["run.yaml:2:7: alias '*a' stands for what contains it"]);
  });

  it('with exponential expansion are rejected', () => {
    const levels = Array.from({ length: 30 }, (_, level) => `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`);
    expect(problemsOf(`a: &a-1 [x]\n${levels.join('\n')}`)[0]).toMatch(/: more than 100,000 values, with what aliases/);
    const texts = `a: &a ${'x'.repeat(100_000)}\nb: [${'*a, '.repeat(1000)}]\n`;
    expect(problemsOf(texts)[0]).toMatch(/^run\.yaml:2:4: more than 100,000 values/);
  });
});

describe('merge keys', () => {
  it('add keys that the mapping does not have itself', () => {
    expect(parseRunFile('<<: {epochs: 2, batch: 20}\nmethod: dgl\nbatch: 8\n', 'run.yaml')).toEqual({
      epochs: 2,
      batch: 8,
      method: 'dgl',
    });
  });

  it('of anything but mappings are rejected', () => {
    expect(problemsOf('<<: 3\n')).toEqual([
      expect.stringMatching(/^run\.yaml:1:5: '<<' takes over the keys of mappings/),
    ]);
  });

  it('preserve the position of an invalid value', () => {
    expect(() => parseRunFile('method: dgl\n<<: {epochs: 2, batch: 0}\n', 'run.yaml')).toThrow(
      /^run\.yaml:2:24: batch/,
    );
    expect(() => parseRunFile('<<: {epoch: 2}\n', 'run.yaml')).toThrow(/^run\.yaml:1:6: unknown key 'epoch'/);
  });
});

describe('flags of train that are no keys', () => {
  it.each([
    ['keepBest', "'keepBest' is not a key of a run's config: pass --keep-best on the command line"],
    ['output', "'output' is not a key of a run's config: pass --output on the command line"],
    ['tlsCa', "'tlsCa' is not a key of a run's config: pass --tls-ca on the command line"],
    ['noRelaxedSimd', "'noRelaxedSimd' is not a key: write relaxedSimd: false"],
    ['model', "'model' is not a key: write backbone: ./model.json"],
  ])('are explained: %s', (key, message) => {
    expect(() => parseRunFile(`method: dgl\n${key}: true\n`, 'run.yaml')).toThrow(`run.yaml:2:1: ${message}`);
  });
});

describe('limits', () => {
  it.each([
    ['flow sequences', '['],
    ['flow mappings', '{a: '],
    ['block sequences', '- '],
    ['block mappings', '? '],
  ])('on nesting hold for %s', (_, open) => {
    const [first = '', ...more] = problemsOf(`a:\n  ${open.repeat(50_000)}`);
    expect(first).toMatch(/^run\.yaml:2:\d+: more than 64 levels of nesting/);
    expect(more).toEqual([]);
  });

  it('allow 60 levels', () => {
    expect(problemsOf(`a: ${'['.repeat(60)}${']'.repeat(60)}`)).toEqual([]);
  });

  it('keep messages short and few', () => {
    const long = problemsOf(`a: *${'x'.repeat(100_000)}\n`);
    expect(long[0]?.length).toBeLessThan(400);
    const many = problemsOf(Array.from({ length: 1000 }, (_, index) => `k${index}: *missing`).join('\n'));
    expect(many).toHaveLength(51);
    expect(many.at(-1)).toBe('run.yaml: and further problems');
  });

  it('explain the first of 30,000 unknown keys', () => {
    const text = Array.from({ length: 30_000 }, (_, index) => `epoch${index}: 1`).join('\n');
    expect(() => parseRunFile(text, 'run.yaml')).toThrow(/^run\.yaml:1:1: unknown key 'epoch0'/);
  }, 20_000);

  it('accept 20,000 keys quickly', () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: ${index}`).join('\n');
    expect(problemsOf(text)).toEqual([]);
    expect(problemsOf(`${text}\nk5: 1`)[0]).toMatch(/^run\.yaml:20001:1: Map keys must be unique: 'k5' occurs twice/);
  }, 20_000);

  it('reject control characters in texts, written plainly or as escapes', () => {
    expect(problemsOf('a: "\\e[31mred"\n')).toEqual(["run.yaml:1:4: '\\x1b[31mred' contains a control character"]);
    expect(problemsOf('"\\0": 1\n')[0]).toMatch(/^run\.yaml:1:1: '\\x00' contains a control character/);
  });

  it('reject keys that are not strings', () => {
    expect(problemsOf('? [a]\n: 1\n')[0]).toMatch(/^run\.yaml:1:3: a key must be a text/);
  });

  it('report a missing or infinite value', () => {
    expect(() => parseRunFile('width:\n', 'run.yaml')).toThrow(/width: .*; found no value$/);
    expect(() => parseRunFile('learningRate: .inf\n', 'run.yaml')).toThrow(/learningRate: .*; found Infinity$/);
  });
});

describe('encodings', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'localgrad-yaml-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const reading = async (bytes: Uint8Array) => {
    const file = join(folder, 'run.yaml');
    await writeFile(file, bytes);
    return readRunFile(file);
  };
  const text = 'epochs: 2\nbatch: 20\n';

  it.each([
    ['UTF-16 with its mark, little-endian', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16 with its mark, big-endian', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['UTF-16 without a mark', Buffer.from(text, 'utf16le')],
    ['UTF-8 with a byte-order mark', Buffer.from(`\ufeff${text}`)],
    ['Windows line ends', Buffer.from(text.replaceAll('\n', '\r\n'))],
  ])('%s is read', async (_, bytes) => {
    expect(await reading(bytes)).toEqual({ epochs: 2, batch: 20 });
  });

  it('reports the position of invalid UTF-8 bytes', async () => {
    await expect(reading(Buffer.from('epochs: 2\nmethod: d\xe9l\n', 'latin1'))).rejects.toThrow(
      /run\.yaml:2:10: expected UTF-8 text, found bytes that are none; save the file as UTF-8/,
    );
  });

  it('reads line ends of old Macs', async () => {
    expect(await reading(Buffer.from(text.replaceAll('\n', '\r')))).toEqual({ epochs: 2, batch: 20 });
  });

  it.each(['epochs: 2\nmethod: dgl(head: 1c2f)\n', 'epochs: { a: dgl(head: 1c2f) }\n'])(
    'shows how to write a value with a colon (%j)',
    async (given) => {
      await expect(reading(Buffer.from(given))).rejects.toThrow(
        /a value with a colon in it needs quotes: method: "dgl/,
      );
    },
  );

  it("rejects a second document, in words that are not the parser's", async () => {
    await expect(reading(Buffer.from('epochs: 2\n---\nepochs: 3\n'))).rejects.toThrow(
      "run.yaml:2:1: a file must contain one document; remove everything from the line '---' on",
    );
  });

  it('rejects files above a megabyte without reading them', async () => {
    await expect(reading(new Uint8Array(2 ** 20 + 1).fill(32))).rejects.toThrow(
      /the file has more than 1,048,576 bytes, the limit/,
    );
  });
});
