import { patientRingReceiver, patientRingSender } from '../channel.js';
import type { SharedRing } from '../ring.js';
import type { Connection } from './connection.js';

/** Writes what arrives into a ring, from which a worker reads. @throws ConnectionLost */
export async function moveIn(connection: Connection, ring: SharedRing): Promise<never> {
  const sender = patientRingSender(ring);
  for (;;) await sender.send(await connection.receive());
}

/** Sends what a worker writes into a ring. @throws ConnectionLost */
export async function moveOut(connection: Connection, ring: SharedRing): Promise<never> {
  const receiver = patientRingReceiver(ring);
  const send = async (): Promise<never> => {
    for (;;) await connection.send(await receiver.receive());
  };
  // The other end sends nothing but signs of life.
  const listen = async (): Promise<never> => {
    for (;;) await connection.receive();
  };
  return Promise.race([send(), listen()]);
}
