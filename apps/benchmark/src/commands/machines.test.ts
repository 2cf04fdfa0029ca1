import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const before = process.env.LOCALGRAD_TOKEN;
let folder: string;
beforeAll(async () => {
  delete process.env.LOCALGRAD_TOKEN;
  folder = await mkdtemp(join(tmpdir(), 'localgrad-machines-'));
  await writeFile(join(folder, 'token'), 'a token of these tests\n');
});
afterAll(async () => {
  if (before !== undefined) process.env.LOCALGRAD_TOKEN = before;
  await rm(folder, { recursive: true });
});

const tiny = ['--backbone', 'resnet8', '--modules', '4', '--method', 'dgl', '--backend', 'wasm'];
const two = ['--hosts', '127.0.0.1:1,127.0.0.1:2'];

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('train on several machines', () => {
  it.each<[readonly string[], string]>([
    [['--rank', '1'], '--rank 1: it has no effect without hosts; allowed: hosts such as a:7000,b:7000.'],
    [[...two, '--rank', '2'], '--rank 2: there are 2 hosts; allowed: 0 to 1.'],
    [two, "--hosts '127.0.0.1:1,127.0.0.1:2': it does not say which of them is this machine"],
    [['--rank', '-1'], "It must be a whole number from 0 on, not '-1'."],
    [['--port', '70000'], "It must be at most 65535, not '70000'."],
    [['--port', '7000'], '--port: has no effect on one machine; add --hosts and --rank'],
    [['--token-file', 'token'], '--token-file: has no effect on one machine'],
    [[...two, '--rank', '0'], 'LOCALGRAD_TOKEN: not given; allowed: the same text of at least 16 characters'],
  ])('names the flag that is wrong: %j', async (flags, message) => {
    const { exitCode, stderr } = await run('train', ...tiny, ...flags);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  it.each<[readonly string[], string]>([
    [['--tls-cert', 'own.pem'], '--tls-key, --tls-ca: not given; TLS needs all three files.'],
    [['--workers', '3'], '--workers: 3; allowed: 2, one for each machine.'],
    [['--placement', '0 1 2-3'], "--placement: '0 1 2-3': 3 groups; allowed: 2, one for each machine."],
  ])('names what does not fit two machines: %j', async (flags, message) => {
    for (const rank of ['0', '1']) {
      const token = ['--token-file', join(folder, 'token')];
      const { exitCode, stderr } = await run('train', ...tiny, ...two, '--rank', rank, ...token, ...flags);
      expect(stderr).toContain(message);
      expect(exitCode).toBe(2);
    }
  });

  it('ends when rank 0 does not start', async () => {
    const port = await closedPort();
    const { exitCode, stderr } = await run(
      ...['train', ...tiny, '--hosts', `127.0.0.1:${port},127.0.0.1:1`, '--rank', '1'],
      ...['--token-file', join(folder, 'token'), '--join-timeout', '1', '--json'],
    );
    expect(stderr).toBe(
      `localgrad: Rank 0 (127.0.0.1:${port}) could not be reached within 1 s: connect ECONNREFUSED 127.0.0.1:${port}.\n`,
    );
    expect(exitCode).toBe(1);
  });
});
