import { LocalgradError, messageOf } from '@localgrad/core';
import { fileOf, type Wheel } from './releases.js';

/** The package index that pip uses too, unless another one is configured. */
export const defaultIndex = 'https://pypi.org/simple';

const accepted = 'application/vnd.pypi.simple.v1+json, text/html;q=0.5';

interface IndexedFile {
  readonly filename: string;
  readonly url: string;
  readonly hashes?: { readonly sha256?: string };
}

/** No answer from a package index; pip may have a proxy or credentials for it. */
export class UnreachableIndex extends Error {}

/**
 * Finds a wheel on a package index (PEP 503 and PEP 691).
 *
 * @throws UnreachableIndex; LocalgradError `missing-dependency` if the index lacks the wheel, `invalid-data` if it
 * publishes another one under its name
 */
export async function findWheel(wheel: Wheel, index: string): Promise<string> {
  const page = `${index.replace(/\/+$/, '')}/${wheel.name}/`;
  const files = await filesOn(page);
  const name = fileOf(wheel);
  const found = files.find(({ filename }) => filename === name);
  if (found === undefined) {
    throw new LocalgradError('missing-dependency', `${page} does not list ${name}.`, { page, file: name });
  }
  const published = found.hashes?.sha256;
  if (published !== undefined && published !== wheel.sha256) {
    throw new LocalgradError(
      'invalid-data',
      `${page} publishes another ${name}: expected SHA-256 ${wheel.sha256}, found ${published}.`,
      { page, expected: wheel.sha256, found: published },
    );
  }
  return new URL(found.url, page).href;
}

async function filesOn(page: string): Promise<readonly IndexedFile[]> {
  try {
    const response = await fetch(page, { headers: { accept: accepted }, signal: AbortSignal.timeout(60_000) });
    if (!response.ok) throw new Error(`it responded with status ${response.status}`);
    const text = await response.text();
    return response.headers.get('content-type')?.includes('json') === true ? JSON.parse(text).files : linksIn(text);
  } catch (error) {
    const cause = messageOf(error instanceof Error ? (error.cause ?? error) : error);
    throw new UnreachableIndex(`${page}: ${cause}`);
  }
}

/** Links of a page for people: the text is a file's name, and the fragment its hash. */
function linksIn(html: string): IndexedFile[] {
  return [...html.matchAll(/<a\s[^>]*?href="([^"#]*)(?:#sha256=([0-9a-f]{64}))?[^"]*"[^>]*>\s*([^<\s]+)\s*<\/a>/g)].map(
    ([, url = '', sha256, filename = '']) => ({
      filename,
      url: url.replaceAll('&amp;', '&'),
      hashes: sha256 === undefined ? {} : { sha256 },
    }),
  );
}
