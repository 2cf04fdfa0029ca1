import { LocalgradError } from '@localgrad/core';

/** Who may take part, and whether others on the network can read along. */
export interface Security {
  /** The same text of at least 16 characters on all machines. */
  readonly token: string;
  /** Encrypts all connections. Machines then also prove who they are with their certificates. */
  readonly tls?: TlsFiles | undefined;
}

/** Contents of PEM files. */
export interface TlsFiles {
  /** Certificate of this machine, for the host name at which others reach it. */
  readonly cert: string;
  /** Private key of the certificate. */
  readonly key: string;
  /** Certificate of the authority that has signed the certificates of all machines. */
  readonly ca: string;
}

/** Shorter tokens could be guessed by someone who has seen a connection. */
const leastTokenLength = 16;

/** @throws LocalgradError `invalid-option` */
export function checkToken(token: string): void {
  if (token.length >= leastTokenLength) return;
  throw new LocalgradError(
    'invalid-option',
    `The token has ${token.length} characters; allowed: at least ${leastTokenLength}, e.g. the output of 'openssl rand -hex 32'.`,
  );
}
