import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Connection } from './connection.js';
import { ConnectionLost, LinkError } from './link-error.js';

/** The first bytes of a connection: the protocol and its version. */
const greeting = Buffer.from('localgrad link 1');
const nonceBytes = 32;
/** The answer to a wrong token. */
const rejection = Uint8Array.of(0);

/**
 * Lets the other end prove that it has the token, and then proves the same. Neither end sends the token, and a connection
 * that has been recorded proves nothing, because both choose a random number.
 *
 * @throws ConnectionLost with what the other end did wrong, which has received nothing but a random number
 */
export async function authenticateCaller(connection: Connection, token: string): Promise<void> {
  const start = await connection.receive();
  const theirs = start.subarray(greeting.length);
  if (!greeting.equals(start.subarray(0, greeting.length)) || theirs.length !== nonceBytes) {
    throw new ConnectionLost('it does not speak the protocol of this version of localgrad');
  }
  const own = randomBytes(nonceBytes);
  await connection.send(own);
  if (!isEqual(await connection.receive(), proofOf(token, 'caller', theirs, own))) {
    await connection.send(rejection);
    throw new ConnectionLost('its token is another one');
  }
  await connection.send(proofOf(token, 'listener', own, theirs));
}

/** The other side of `authenticateCaller`. @param where the machine that was called, for errors @throws LinkError, ConnectionLost */
export async function authenticateTo(connection: Connection, token: string, where: string): Promise<void> {
  const own = randomBytes(nonceBytes);
  await connection.send(Buffer.concat([greeting, own]));
  const theirs = await connection.receive();
  await connection.send(proofOf(token, 'caller', own, theirs));
  const answer = await connection.receive();
  if (isEqual(answer, rejection)) {
    throw new LinkError('invalid-option', `${where} has rejected the token: it must be the same on all machines.`);
  }
  if (!isEqual(answer, proofOf(token, 'listener', theirs, own))) {
    throw new LinkError('invalid-option', `${where} does not have the token: another program may have answered.`);
  }
}

function proofOf(token: string, role: 'caller' | 'listener', first: Uint8Array, second: Uint8Array): Uint8Array {
  return createHmac('sha256', token).update(role).update(first).update(second).digest();
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
