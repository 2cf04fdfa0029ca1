import type { TestContext } from 'vitest';

/** Files whose tests vary one law, at seconds each. */
const sampled: readonly { readonly file: RegExp; readonly title?: RegExp; readonly backend?: string }[] = [
  { file: /pipeline\/src\/pipeline\.slow\.test\.ts$/ },
  { file: /asynchronous\/asynchronous\.slow\.test\.ts$/, title: /the bits of|the same bits/ },
  {
    file: /testing\/src\/conformance\.slow\.test\.ts$/,
    title:
      /learns a toy problem|with correct gradients|not changed by evaluating|equal seeds|resumes an interrupted run/,
  },
  { file: /budget\/all-cuts\.slow\.test\.ts$/ },
  { file: /tests\/steps\/steps\.slow\.test\.ts$/, title: /200 steps/ },
  { file: /tests\/backends\/networks\.slow\.test\.ts$/ },
  // On a processor that plays the GPU, where each one compiles a shader.
  { file: /tests\/backends\/stock-operations\.test\.ts$/, backend: 'webgpu' },
  { file: /tools\/benchmark-plans\.slow\.test\.ts$/, title: /plans with costs/ },
];

const seen = new Map<string, number>();

/**
 * With `LOCALGRAD_TEST_SAMPLE=n`, skips all but every n-th of these tests. Continuous integration must end in time on slow machines;
 * `npm run test:all` runs all of them.
 */
export function skipOutsideSample({ task, skip }: TestContext): void {
  const size = Number(process.env.LOCALGRAD_TEST_SAMPLE ?? 1);
  const path = task.file.filepath;
  const running = process.env.LOCALGRAD_TEST_BACKEND;
  const index = sampled.findIndex(
    ({ file, title = /./, backend = running }) => backend === running && file.test(path) && title.test(task.name),
  );
  if (index < 0 || size <= 1) return;
  const key = `${path} ${index}`;
  const count = seen.get(key) ?? 0;
  seen.set(key, count + 1);
  skip(count % size !== 0, `outside the sample of one in ${size}`);
}
