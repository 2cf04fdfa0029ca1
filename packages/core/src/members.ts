import { shown } from './shown.js';

/** Expected type of a member: as `typeof` names it, except that objects may not be null; `list` is an array. */
export type MemberType = 'function' | 'string' | 'number' | 'object' | 'list';

/**
 * What is wrong with a value from code that no compiler has checked, such as the result of a plug-in's factory: `is undefined`,
 * `lacks 'build' (function)`. Undefined if it has all members.
 *
 * @param members required members and their types
 */
export function faultOfMembers(value: unknown, members: Readonly<Record<string, MemberType>>): string | undefined {
  if (value === undefined) return "is undefined; a function without 'return' returns nothing";
  if (typeof value !== 'object' || value === null)
    return `is ${typeof value === 'function' ? 'a function' : shown(value)}`;
  const found = Object.entries(members).map(([key, type]) => ({ key, type, member: memberOf(value, key) }));
  const promised = found.find(({ member }) => member instanceof Promise);
  if (promised !== undefined) {
    (promised.member as Promise<unknown>).catch(() => {});
    return `has a Promise as '${promised.key}'; await it`;
  }
  const missing = found.filter(({ type, member }) => !isOfType(member, type));
  if (missing.length === 0) return undefined;
  return `lacks ${missing.map(({ key, type }) => `'${key}' (${type})`).join(', ')}`;
}

function isOfType(member: unknown, type: MemberType): boolean {
  if (type === 'list') return Array.isArray(member);
  return typeof member === type && member !== null;
}

/** A member of a value of unknown type; undefined for values that have none. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
