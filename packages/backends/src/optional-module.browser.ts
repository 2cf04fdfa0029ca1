/** Browsers have no folders of packages. */
export async function findOptional(_name: string): Promise<string | undefined> {
  return undefined;
}
