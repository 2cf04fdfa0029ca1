import { describe, expect, it } from 'vitest';
import { maskCredentials } from './credentials.js';

describe('maskCredentials', () => {
  it.each([
    ['http://joe:s3cret@127.0.0.1:9/path', 'http://***@127.0.0.1:9/path'],
    ['https://token@host', 'https://***@host'],
    ['http://joe:p@ss:w@host:5000', 'http://***@host:5000'],
    ['http://joe:s3/cret@host', 'http://***@host'],
    ['{mlflow: "http://a:b@one", other: "http://c:d@two"}', '{mlflow: "http://***@one", other: "http://***@two"}'],
    ['http://host/?x=1&access_token=abc&y=2', 'http://host/?x=1&access_token=***&y=2'],
    ['ftp://joe:s3cret@host', 'ftp://***@host'],
  ])('masks %s', (text, masked) => expect(maskCredentials(text)).toBe(masked));

  it.each([
    'http://localhost:5000',
    'http://localhost:5000/@scope/x',
    'https://www.npmjs.com/package/@localgrad/mlaan',
    'mail joe@example.com',
    'https://host/?seed=1#key=2',
  ])('leaves %s unchanged', (text) => expect(maskCredentials(text)).toBe(text));
});
