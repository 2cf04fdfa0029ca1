export { type KubernetesOptions, kubernetesJob, type ShellListOptions, shellList } from './manifest.js';
export type { Resources } from './resources.js';
export { quoted } from './shell.js';
export { type SlurmOptions, type SlurmScriptOptions, slurmScript } from './slurm-script.js';
export { type Submission, type SubmitOptions, submitToSlurm } from './submit-slurm.js';
