// The CSV file that a script writes on request (`--output`): checked before the measurement, written after it.
import { checkOwnFile, writeOwnFile } from '@localgrad/bench';

/**
 * Exits with 2, and a message, if the file cannot be replaced. Returns a function that writes lines below the header.
 *
 * @param file undefined if no file was asked for
 */
export async function ownOutput(file, header, newline = '\n') {
  if (file === undefined) return () => {};
  await checkOwnFile('--output', file, ['.csv'], header).catch((error) => {
    console.error(error.message);
    process.exit(2);
  });
  return (lines) => writeOwnFile('--output', file, [header, ...lines, ''].join(newline), header);
}
