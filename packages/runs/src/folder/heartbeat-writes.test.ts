import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { Heartbeat } from './heartbeat.js';

interface Message {
  readonly id: number;
  readonly shared?: Float64Array;
  readonly fields?: Readonly<Record<'lastSign' | 'lastProgress' | 'patience' | 'highest', number>>;
}

const options = { file: '/claims/000003.json', folder: '/claims', number: 3, seconds: 5 };
const start = 1_700_000_000_000;
let post: MockInstance<Worker['postMessage']>;
let begin: MockInstance<Worker['unref']>;

beforeEach(() => {
  // The messages are observed; no thread receives them.
  post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(() => {});
  begin = vi.spyOn(Worker.prototype, 'unref');
  vi.useFakeTimers({ toFake: ['Date'], now: start });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const messages = () => post.mock.calls.map(([message]) => message as Message);

/** A started heartbeat, with access to the memory that it shares with the thread. */
function startedHeartbeat() {
  const heartbeat = new Heartbeat(options);
  heartbeat.start();
  const { shared = new Float64Array(), fields } = messages().at(-1) ?? {};
  return { heartbeat, shared, fields: fields ?? expect.fail('no message') };
}

describe('Heartbeat', () => {
  it('sends the thread its claim once, and when to stop', () => {
    const heartbeat = new Heartbeat(options);
    heartbeat.stop();
    expect(messages()).toEqual([]);
    heartbeat.start();
    heartbeat.start();
    heartbeat.noteProgress();
    expect(messages()).toMatchObject([options]);
    heartbeat.stop();
    expect(messages().slice(1)).toEqual([{ id: messages()[0]?.id }]);
  });

  it('is distinguished from other heartbeats of the process', () => {
    startedHeartbeat();
    startedHeartbeat();
    expect(new Set(messages().map(({ id }) => id)).size).toBe(2);
  });

  it('starts with the first progress, because the next step may block the main thread', () => {
    new Heartbeat(options).noteProgress();
    expect(messages()).toHaveLength(1);
  });

  it('lasts for half an hour without progress, or for 20 of the longest steps', () => {
    const { heartbeat, shared, fields } = startedHeartbeat();
    const patience = () => shared[fields.patience];
    const step = (seconds: number) => {
      vi.setSystemTime(Date.now() + 1000 * seconds);
      heartbeat.noteProgress();
    };
    expect(heartbeat.longestStep).toBe(0);
    expect(patience()).toBe(1_800_000);
    step(60);
    expect(heartbeat.longestStep).toBe(60);
    expect(patience()).toBe(1_800_000);
    step(100);
    expect(patience()).toBe(2_000_000);
    step(2);
    expect(heartbeat.longestStep).toBe(100);
    expect(patience()).toBe(2_000_000);
    expect(shared[fields.lastProgress]).toBe(start + 162_000);
  });

  it('reads the last sign and the highest claim from the thread, and records signs of the main thread', () => {
    const { heartbeat, shared, fields } = startedHeartbeat();
    expect(heartbeat.lastSign).toBe(start);
    expect(heartbeat.highest).toBe(0);
    shared[fields.lastSign] = start + 5000;
    shared[fields.highest] = 4;
    expect(heartbeat.lastSign).toBe(start + 5000);
    expect(heartbeat.highest).toBe(4);
    vi.setSystemTime(start + 7000);
    heartbeat.noteSign();
    expect(shared[fields.lastSign]).toBe(start + 7000);
  });

  it('shares one thread, which does not keep the process alive, and starts another one when it fails', () => {
    startedHeartbeat();
    const thread = post.mock.contexts.at(-1) as Worker;
    begin.mockClear();
    startedHeartbeat();
    expect(post.mock.contexts.at(-1)).toBe(thread);
    expect(begin).not.toHaveBeenCalled();
    thread.emit('error', new Error('out of memory'));
    startedHeartbeat();
    const second = post.mock.contexts.at(-1) as Worker;
    expect(second).not.toBe(thread);
    expect(begin.mock.contexts).toEqual([second]);
    // A thread that cannot receive messages is replaced as well.
    post.mockImplementationOnce(() => {
      throw new Error('terminated');
    });
    expect(() => new Heartbeat(options).start()).not.toThrow();
    startedHeartbeat();
    expect(post.mock.contexts.at(-1)).not.toBe(second);
    expect(begin).toHaveBeenCalledTimes(2);
  });
});
