import { useState } from 'preact/hooks';
import { download } from '../run/download.js';
import type { Run } from '../run/use-run.js';
import { experimentFile } from '../settings/experiment-file.js';
import type { Settings } from '../settings/settings.js';
import { Button } from './fields.js';

export interface ToolbarProps {
  readonly settings: Settings;
  readonly runs: readonly Run[];
  onAddRun(): void;
}

/** Starts, pauses and shares. Both runs start and pause together. */
export function Toolbar({ settings, runs, onAddRun }: ToolbarProps) {
  const [notice, setNotice] = useState('');
  const statuses = runs.map(({ view }) => view.status);
  const isRunning = statuses.includes('running');
  const startable = runs.filter(({ view }) => view.status === 'ready' || view.status === 'paused');
  const isFinished = statuses.every((status) => status === 'finished');
  const start = () => {
    for (const run of isFinished ? runs : startable) {
      if (isFinished) run.send({ type: 'reset' });
      run.send({ type: 'start' });
    }
  };
  const hasResults = runs.some(({ view }) => view.step > 0 && view.status !== 'running');
  const share = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setNotice('Link copied: it opens these settings.');
    } catch {
      setNotice(`Copy the address of this page: it contains the settings.`);
    }
  };
  return (
    <div class="toolbar" role="toolbar" aria-label="Training">
      {isRunning ? (
        <Button
          isPrimary
          onClick={() => {
            for (const run of runs) if (run.view.status === 'running') run.send({ type: 'pause' });
          }}
        >
          Pause
        </Button>
      ) : (
        <Button isPrimary isDisabled={startable.length === 0 && !isFinished} onClick={start}>
          {isFinished ? 'Train again' : statuses.includes('paused') ? 'Resume' : 'Train'}
        </Button>
      )}
      <Button
        isDisabled={!hasResults || isRunning}
        onClick={() => {
          for (const run of runs) run.send({ type: 'reset' });
        }}
      >
        Start over
      </Button>
      {runs.length === 1 && (
        <Button isDisabled={isRunning} onClick={onAddRun}>
          Compare with a second run
        </Button>
      )}
      <span class="spacer" />
      <Button onClick={() => void share()}>Copy link</Button>
      <Button onClick={() => download('playground.yaml', experimentFile(settings))}>Experiment file</Button>
      <p class="notice" aria-live="polite">
        {notice}
      </p>
    </div>
  );
}
