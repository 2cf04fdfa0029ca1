import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import type { Terminal } from '../terminal.js';
export function registerBench(_program: Command, _terminal: Terminal, _present: Presenter): void {}
