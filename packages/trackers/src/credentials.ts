/** User names and passwords in URLs: everything between `//` and the last `@` of the authority. */
const userInformation = /(\/\/)[^\s/?#]*@/g;
/** The same in a URL that is invalid because its password contains a slash; a port before the slash is no password. */
const brokenUserInformation = /(\/\/)[^\s/?#:@]+:(?!\d+\/)[^\s"']*@/g;
const secretParameter = /([?&][\w-]*(?:token|key|secret|password|passwd|signature)[\w-]*=)[^&\s"'#]+/gi;

/** Replaces the credentials of every URL in a text by `***`: user information, and query parameters such as `token`. */
export function maskCredentials(text: string): string {
  return text
    .replace(userInformation, '$1***@')
    .replace(brokenUserInformation, '$1***@')
    .replace(secretParameter, '$1***');
}
