import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from './security.js';

/** Why certificates cannot be created here; undefined if they can. */
export const missingOpenssl = spawnSync('openssl', ['version']).error?.message;

/** Certificates for `localhost` and 127.0.0.1, by an authority of their own. */
export function createCertificates(): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-tls-'));
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '2');
    run('req', ...key, '-keyout', 'own.key', '-out', 'own.csr', '-subj', '/CN=localhost');
    writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
    run('x509', '-req', '-in', 'own.csr', '-out', 'own.pem', ...signed);
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    return { cert: read('own.pem'), key: read('own.key'), ca: read('ca.pem') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
