declare module 'node-api-headers' {
  const headers: { readonly include_dir: string };
  export default headers;
}
