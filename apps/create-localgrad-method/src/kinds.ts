/** The things that a package can offer. */
export const kinds = ['method', 'decorator', 'backbone', 'dataset'] as const;
export type Kind = (typeof kinds)[number];

export const languages = ['typescript', 'javascript'] as const;
export type Language = (typeof languages)[number];

interface KindDescription {
  /** What the package is, after "A". */
  readonly noun: string;
  /** localgrad packages that the code imports. */
  readonly imports: readonly string[];
  /** Those that only the test imports. */
  readonly tests: readonly string[];
  /** The option of `localgrad train` that takes it, with `file` standing for the path of the built module. */
  readonly use: (file: string) => string;
}

export const descriptions: Readonly<Record<Kind, KindDescription>> = {
  method: {
    noun: 'local-learning method',
    imports: ['core', 'nn'],
    tests: ['backends', 'lam', 'mlm', 'testing'],
    use: (file) => `--method "mlaan(${file})"`,
  },
  decorator: {
    noun: 'decorator of local-learning methods',
    imports: ['core'],
    tests: ['backends', 'dgl', 'testing'],
    use: (file) => `--method "${file}(dgl)"`,
  },
  backbone: {
    noun: 'backbone',
    imports: ['core', 'nn'],
    tests: ['backends', 'testing'],
    use: (file) => `--backbone ${file}`,
  },
  dataset: {
    noun: 'data set',
    imports: ['core', 'data', 'nn'],
    tests: ['backends', 'testing'],
    use: (file) => `--dataset ${file}`,
  },
};

/** The module that the package exports, relative to its folder. */
export function entryOf(language: Language): string {
  return language === 'typescript' ? 'dist/index.js' : 'src/index.js';
}
