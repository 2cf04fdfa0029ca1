import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type RunConfig, runConfigSchema } from '@localgrad/runs';
import { trainOrRefuse, trainPart } from './train.js';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');

/** Which modules each worker trains, from which cuts divide workers: `0-1 2`. */
function placementOf(modules: number, isCut: (cut: number) => boolean): string {
  const starts = Array.from({ length: modules }, (_, module) => module).filter((m) => m === 0 || isCut(m - 1));
  const ends = [...starts.slice(1).map((start) => start - 1), modules - 1];
  return starts.map((start, worker) => `${start}-${ends[worker]}`).join(' ');
}

/** Runs the command line in a process of its own. */
function commandLine(args: readonly string[], cwd: string): Promise<{ code: number | null; errors: string }> {
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  return new Promise((done) => child.once('close', (code) => done({ code, errors })));
}

/**
 * Trains one config in this process, and again until a step, from which the command line resumes it on workers; checks that both
 * end with the same weights.
 *
 * @param interruption share of the steps before workers resume, in [0, 1)
 * @param cuts which of the cuts between modules divide workers; of the others none does
 * @throws Error that says what does not hold
 */
export async function checkPlacement(
  { asynchronous: _, ...input }: Readonly<Record<string, unknown>>,
  { interruption, cuts }: { readonly interruption: number; readonly cuts: readonly boolean[] },
  parent: string,
): Promise<'refused' | 'refused on workers' | 'diverged' | 'trained'> {
  const folders = ['run', 'divided'].map((name) => join(parent, name));
  const [folder, divided] = folders as [string, string];
  const file = join(parent, 'run.yaml');
  try {
    const config = runConfigSchema.parse({ threads: 1, ...input });
    const trained = await trainOrRefuse(config, folder);
    if (trained === 'refused') return trained;
    const { summary, steps } = trained;
    if (summary.status !== 'finished') return 'diverged';
    await trainPart(interruption, steps, config, divided);
    writeFileSync(file, JSON.stringify(withoutUndefined(config)));
    const flags = workerFlags(config, cuts);
    const { code, errors } = await commandLine(['train', file, '--output', divided, ...flags], parent);
    if (code !== 0 && /^localgrad: /m.test(errors)) return 'refused on workers';
    if (code !== 0) throw new Error(`train ${flags.join(' ')} ended with exit code ${code}: ${errors}`);
    const { weights } = JSON.parse(readFileSync(join(divided, 'summary.json'), 'utf8')) as typeof summary;
    if (weights?.sha256 !== summary.weights?.sha256)
      throw new Error(`train ${flags.join(' ')} ends with other weights.`);
    return 'trained';
  } finally {
    for (const path of [...folders, file]) rmSync(path, { recursive: true, force: true });
  }
}

function workerFlags({ modules, memoryBudget }: RunConfig, cuts: readonly boolean[]): readonly string[] {
  if (memoryBudget !== undefined) return ['--workers', '2'];
  return ['--placement', placementOf(modules, (cut) => cuts[cut] ?? true)];
}

const withoutUndefined = (config: RunConfig) =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
