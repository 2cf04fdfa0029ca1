/** Splits at commas and spaces that are not inside parentheses. */
export function splitMethods(text: string): string[] {
  const methods: string[] = [''];
  let depth = 0;
  for (const character of text) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0;
    if (depth === 0 && /[\s,]/.test(character)) methods.push('');
    else methods[methods.length - 1] += character;
  }
  return methods.filter((method) => method !== '');
}
