/** Fetches a file of this package from where the bundler put it. */
export async function readAsset(location: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(location);
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
