import type { Run } from '../run/use-run.js';
import { toggleDecorator } from '../settings/completion.js';
import type { RunSettings } from '../settings/settings.js';
import type { Status } from '../worker/protocol.js';
import { runColors, runNames } from './colors.js';
import { Button, NumberField } from './fields.js';
import { bytes, whole } from './format.js';
import { LossChart } from './loss-chart.js';
import { MethodField } from './method-field.js';
import { Metrics } from './metrics.js';
import { PlanFigure } from './plan-figure.js';

export interface RunCardProps {
  readonly run: Run;
  readonly index: number;
  readonly settings: RunSettings;
  readonly isDisabled: boolean;
  onChange(change: Partial<RunSettings>): void;
  onRemove?: (() => void) | undefined;
}

const words: Readonly<Record<Status, string>> = {
  opening: 'starting',
  ready: 'ready',
  running: 'training',
  paused: 'paused',
  finished: 'finished',
  failed: 'failed',
};

/** One run: its method, plan, losses and results. */
export function RunCard({ run, index, settings, isDisabled, onChange, onRemove }: RunCardProps) {
  const { view, names, send } = run;
  const { status, plan, error, history, step } = view;
  const letter = runNames[index] ?? '';
  const id = `run-${letter.toLowerCase()}`;
  const decorators = names.filter(({ kind }) => kind === 'decorator');
  const hasWeights = status === 'paused' || status === 'finished';
  return (
    <section class="panel run" aria-labelledby={`${id}-title`} style={{ '--run': runColors[index] }}>
      <header>
        <h2 id={`${id}-title`}>
          <span class="letter" aria-hidden="true">
            {letter}
          </span>
          <span class="visually-hidden">Run {letter}</span>
        </h2>
        <span class={`status ${status}`} data-testid={`${id}-status`}>
          {words[status]}
        </span>
        {plan !== undefined && (
          <span class="device" title={plan.backend.reason}>
            {plan.backend.name}, {plan.backend.threads} {plan.backend.threads === 1 ? 'thread' : 'threads'}
            {plan.backend.reason !== undefined && <span class="visually-hidden">: {plan.backend.reason}</span>}
          </span>
        )}
        {onRemove !== undefined && (
          <Button isDisabled={isDisabled} onClick={onRemove}>
            Remove
          </Button>
        )}
      </header>
      <fieldset class="method-row" disabled={isDisabled}>
        <legend class="visually-hidden">Method of run {letter}</legend>
        <MethodField
          id={`${id}-method`}
          label="Method"
          value={settings.method}
          names={names}
          isInvalid={error !== undefined}
          describedBy={`${id}-error`}
          onChange={(method) => onChange({ method })}
        />
        <NumberField
          id={`${id}-modules`}
          label="Modules K"
          value={settings.modules}
          range="modules"
          onChange={(modules) => onChange({ modules })}
        />
        <div class="chips">
          <span>Wrap in</span>
          {decorators.map(({ name, description }) => (
            <button
              type="button"
              key={name}
              title={description}
              aria-pressed={settings.method.trim().startsWith(`${name}(`)}
              onClick={() => onChange({ method: toggleDecorator(settings.method, name) })}
            >
              {name}
            </button>
          ))}
        </div>
      </fieldset>
      <p id={`${id}-error`} class="error" role={error === undefined ? undefined : 'alert'}>
        {error}
      </p>
      <Metrics view={view} />
      <progress
        aria-label={`Progress of run ${letter}`}
        max={Math.max(history.steps, 1)}
        value={Math.min(step, Math.max(history.steps, 1))}
      />
      <h3>What each loss trains</h3>
      <PlanFigure view={view} label={`Plan of run ${letter}`} />
      <h3>Losses</h3>
      <LossChart view={view} />
      <footer>
        <Button isDisabled={!hasWeights} onClick={() => send({ type: 'export', format: 'localgrad' })}>
          Weights
        </Button>
        <Button isDisabled={!hasWeights} onClick={() => send({ type: 'export', format: 'pytorch' })}>
          Weights for PyTorch
        </Button>
        {view.storeProblem !== undefined && (
          <span class="hint" role="status">
            This browser does not store the run, which is lost when the page is closed: {view.storeProblem}
          </span>
        )}
        <span class="hint" data-testid={`${id}-memory`}>
          {view.tensors > 0 && `${whole(view.tensors)} tensors, ${bytes(view.bytesInUse)} in use`}
        </span>
      </footer>
    </section>
  );
}
