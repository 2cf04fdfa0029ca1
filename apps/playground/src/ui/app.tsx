import { useEffect, useState } from 'preact/hooks';
import { usePictures } from '../pictures/use-pictures.js';
import { useRun } from '../run/use-run.js';
import { defaultSettings, type RunSettings, type Settings, type SharedSettings } from '../settings/settings.js';
import { toQuery } from '../settings/url.js';
import { Comparison } from './comparison.js';
import { RunCard } from './run-card.js';
import { SettingsForm } from './settings-form.js';
import { Toolbar } from './toolbar.js';

/** The playground. Settings live in the address, runs in workers, checkpoints in the browser's database. */
export function App({ initial }: { readonly initial: Settings }) {
  const [settings, setSettings] = useState(initial);
  const pictures = usePictures();
  const first = useRun(settings, 0, pictures);
  const second = useRun(settings, 1, pictures);
  const runs = [first, second].slice(0, settings.runs.length);
  const isRunning = runs.some(({ view }) => view.status === 'running');

  useEffect(() => history.replaceState(null, '', toQuery(settings)), [settings]);

  const changeShared = (change: Partial<SharedSettings>) =>
    setSettings((before) => ({ ...before, shared: { ...before.shared, ...change } }));
  const changeRun = (index: number, change: Partial<RunSettings>) =>
    setSettings((before) => ({
      ...before,
      runs: before.runs.map((run, at) => (at === index ? { ...run, ...change } : run)),
    }));
  const addRun = () =>
    setSettings((before) => ({
      ...before,
      runs: [...before.runs, ...defaultSettings.runs.slice(1)].slice(0, 2),
    }));
  const removeRun = (index: number) =>
    setSettings((before) => ({ ...before, runs: before.runs.filter((_, at) => at !== index) }));

  return (
    <main>
      <header class="page">
        <p class="kicker">localgrad playground</p>
        <h1>Train a network without backpropagating through it</h1>
        <p class="lead">
          In local learning, each module of a network learns from a loss of its own. Everything below trains in this
          tab, on your machine; nothing is uploaded.
        </p>
      </header>
      <Toolbar settings={settings} runs={runs} onAddRun={addRun} />
      <SettingsForm shared={settings.shared} pictures={pictures} isDisabled={isRunning} onChange={changeShared} />
      <div class={runs.length > 1 ? 'runs two' : 'runs'}>
        {runs.map((run, index) => {
          const own = settings.runs[index];
          return own === undefined ? null : (
            <RunCard
              key={index}
              run={run}
              index={index}
              settings={own}
              isDisabled={isRunning}
              onChange={(change) => changeRun(index, change)}
              onRemove={runs.length > 1 && index === 1 ? () => removeRun(index) : undefined}
            />
          );
        })}
      </div>
      <Comparison settings={settings} views={runs.map(({ view }) => view)} />
      <footer class="page">
        <p>
          A bar covers the modules that a loss trains; its gradient goes no further. A dashed tail stands for copies of
          later blocks in the loss’s auxiliary network. The probe is the test accuracy of a linear classifier on each
          module’s output. Peak memory counts tensors: weights, optimizer state, activations and the batch.
        </p>
        <p>
          The experiment file repeats these runs on a machine: <code>npx localgrad sweep run playground.yaml</code>.
        </p>
      </footer>
    </main>
  );
}
