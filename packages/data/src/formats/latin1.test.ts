import { expect, it } from 'vitest';
import { latin1 } from './latin1.js';

it('has one character per byte, also where Windows-1252 differs, in texts of any length', () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index % 256);
  const text = latin1(bytes);
  expect(text).toHaveLength(bytes.length);
  expect(Uint8Array.from(text, (character) => character.charCodeAt(0))).toEqual(bytes);
  expect(latin1(new Uint8Array())).toBe('');
});
