/**
 * Runs a command's work and shows its result: as text, or with `--json` as one JSON document. A result with `passed: false`
 * makes the exit code 1, one with `status: 'diverged'` makes it 3.
 */
export type Presenter = <Result extends object>(
  work: () => Promise<Result>,
  render: (result: Result) => string,
) => Promise<void>;
