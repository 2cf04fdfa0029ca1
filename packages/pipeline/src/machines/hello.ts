import { deserialize, serialize } from 'node:v8';

/** Where a machine is reached. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What all machines of a run must have in common, by name: the version of localgrad, each option of the run, …. */
export type Facts = Readonly<Record<string, string>>;

/** The first message of a machine that has proved that it has the token. */
export interface Hello {
  /** `control`: from rank 0, for reports; `data`: the stream of messages from the previous rank. */
  readonly purpose: 'control' | 'data';
  readonly rank: number;
  /** Number of machines. */
  readonly ranks: number;
  /** Where the next rank reaches this one; absent on the last rank. */
  readonly address?: Address | undefined;
  readonly facts: Facts;
}

/** The answer to a `Hello`. */
export type Welcome = { readonly kind: 'welcome' } | { readonly kind: 'refusal'; readonly reason: string };

/** `host:port` */
export function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Why a machine cannot take part, as a sentence for both sides; undefined if it can. */
export function refusalOf(
  { rank, ranks, facts }: Hello,
  own: Pick<Hello, 'ranks' | 'facts'> & { readonly from: string },
): string | undefined {
  const refused = (what: string, theirs: unknown, ours: unknown) =>
    `Rank ${rank} (${own.from}) cannot take part: its ${what} is ${theirs}, but rank 0 expects ${ours}.`;
  if (ranks !== own.ranks) return refused('number of machines', ranks, own.ranks);
  if (!Number.isInteger(rank) || rank < 1 || rank >= ranks) return refused('rank', rank, `1 to ${ranks - 1}`);
  for (const name of new Set([...Object.keys(own.facts), ...Object.keys(facts)])) {
    const [theirs = 'not set', ours = 'not set'] = [facts[name], own.facts[name]];
    if (theirs !== ours) return refused(name, theirs, ours);
  }
  return undefined;
}

/** Bytes of a `Hello` or `Welcome`, which machines of all versions can read. */
export function introduction(value: Hello | Welcome): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The inverse of `introduction`. */
export function readIntroduction<Value extends Hello | Welcome>(bytes: Uint8Array): Value {
  return JSON.parse(Buffer.from(bytes).toString());
}

/** A message between machines of one version: anything that `structuredClone` copies. */
export function encode(value: unknown): Uint8Array {
  return serialize(value);
}

/** The inverse of `encode`. */
export function decode<Value>(bytes: Uint8Array): Value {
  return deserialize(bytes);
}
