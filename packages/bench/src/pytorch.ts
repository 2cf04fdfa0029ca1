import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackendHandle } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { describePlan, type PlanDescription } from '@localgrad/engine';
import { buildPlan } from '@localgrad/runs';
import { settingOf } from './contestants.js';
import { LineProcess } from './line-process.js';
import { requirePeerOptimization } from './optimization.js';
import type { BenchStepOptions, Contestant, PytorchVariant } from './options.js';
import { type Greeting, lineContestant } from './process-contestant.js';

/** Input of `benchmarks/peers/pytorch_step.py`: the keys of `localgrad explain --json` that it reads. */
type PytorchPlan = PlanDescription & Pick<BenchStepOptions, 'backbone' | 'memory' | 'batch' | 'image' | 'classes'>;

/**
 * A method's step in PyTorch, in a separate process: the same blocks, heads and chains, built from the plan, with the
 * procedure of reference code. Uses CUDA if the backend computes on a GPU and PyTorch finds one.
 *
 * @param name a method expression, or end-to-end training with recomputation
 * @param variant how PyTorch runs it
 * @throws LocalgradError `missing-dependency` without the script; `backend-unavailable` without PyTorch, and for plans
 *   that it cannot build; `invalid-option` for another optimizer or accumulation
 */
export async function startPytorch(
  name: string,
  options: BenchStepOptions,
  backend: BackendHandle,
  variant: PytorchVariant = 'pytorch',
): Promise<Contestant> {
  requirePeerOptimization(variant, options);
  const script = findUpwards('benchmarks/peers/pytorch_step.py');
  if (script === undefined) {
    throw new LocalgradError(
      'missing-dependency',
      'The PyTorch peer requires benchmarks/peers/pytorch_step.py, which is in the repository, but not in the npm package.',
    );
  }
  const plan = await describe(name, options);
  const python = options.python ?? process.env.LOCALGRAD_PYTHON ?? 'python3';
  const isOnGpu = backend.hardware && ['webgpu', 'tensorflow-gpu'].includes(backend.name);
  const where = isOnGpu ? ['--device', 'auto'] : ['--device', 'cpu', '--threads', String(backend.threads)];
  const how = variant === 'pytorch' ? [] : [variant.replace('pytorch-', '--')];
  const child = new LineProcess(variant, python, [script, '--serve', ...where, ...how]);
  return lineContestant(child, pytorchName(name, isRepeated(plan), variant), async () => {
    const { backend: computedBy, details } = await child.request<Greeting>(JSON.stringify(plan));
    return { modules: plan.modules.length, backend: computedBy, details };
  });
}

/** Name of the row of a method's step in PyTorch. */
export function pytorchName(method: string, isLiteral: boolean, variant: PytorchVariant = 'pytorch'): string {
  return isLiteral ? `${variant} literal ${method}` : `${variant} ${method}`;
}

async function describe(name: string, options: BenchStepOptions): Promise<PytorchPlan> {
  const { method, network } = await settingOf(name, options);
  const { backbone, memory, batch, image, classes } = network;
  const { compiled, dispose } = await buildPlan({ ...network, method, seed: 1 }, { imageShape: image, classes });
  const description = describePlan(compiled, batch);
  dispose();
  return { ...description, backbone, memory, batch, image, classes };
}

/** Whether several losses train a module, which reference code then runs once for each. */
function isRepeated({ objectives }: PlanDescription): boolean {
  return objectives.length > 1 && objectives.some(({ span: [from, to] }) => from < to);
}

function findUpwards(path: string): string | undefined {
  for (let folder = import.meta.dirname; ; folder = join(folder, '..')) {
    if (existsSync(join(folder, path))) return join(folder, path);
    if (folder === join(folder, '..')) return undefined;
  }
}
