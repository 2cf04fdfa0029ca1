import { pageColourOf } from '@localgrad/report';
import { formatBytes, formatSeconds } from '@localgrad/train';
import type { ComponentChildren } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { MethodResult, QuickstartResults } from '../quickstart/results.js';
import { style } from './style.js';
import {
  backboneName,
  datasetName,
  headline,
  numberWord,
  percent,
  points,
  setting,
  times,
  trainCommand,
} from './wording.js';

/** An SVG with what it says in words. */
export interface PageFigure {
  readonly svg: string;
  /** For those who do not see it. */
  readonly description: string;
  readonly caption: string;
}

const explanations: Readonly<Record<string, string>> = {
  backprop: 'One loss at the end; its gradient goes back through every block. All activations must be kept until then.',
  greedy:
    'Each module has its own loss behind the smallest auxiliary classifier there is (pooling and one dense layer), and passes no gradient to the module before it.',
  dgl: 'Decoupled Greedy Learning (Belilovsky et al., ICML 2020): as greedy, with a small convolutional auxiliary network before the classifier, so that modules learn features that later modules can use.',
};

/** The whole report: one file, no script, nothing loaded from elsewhere. */
export function renderPage(results: QuickstartResults, figures: readonly PageFigure[]): string {
  return `<!doctype html>\n${renderToString(<Page results={results} figures={figures} />)}\n`;
}

function Page({ results, figures }: { results: QuickstartResults; figures: readonly PageFigure[] }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Local learning against end-to-end training: localgrad quickstart</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <main>
          <p class="kicker">localgrad quickstart</p>
          <h1>One network, trained {numberWord(results.runs.length)} ways</h1>
          <p class="lead">{headline(results)}</p>
          <Comparison runs={results.runs} />
          <h2>How training went</h2>
          <div class="figures">
            {figures.map((figure) => (
              <Figure {...figure} />
            ))}
          </div>
          <Reading />
          <Trained results={results} />
          <Repeat results={results} />
          <footer>
            Written by localgrad {results.environment.localgrad} on {results.environment.date.slice(0, 10)}. Every
            number is in <a href="results.json">results.json</a>; every event of the runs is in{' '}
            <code>runs/*/metrics.jsonl</code>.
          </footer>
        </main>
      </body>
    </html>
  );
}

function Comparison({ runs }: { runs: readonly MethodResult[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <section class="scroll" aria-label="Comparison" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Trained</th>
            <th scope="col" class="desk">
              Modules
            </th>
            <th scope="col">Test accuracy</th>
            <th scope="col">Peak memory</th>
            <th scope="col">Training time</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run, index) => (
            <tr>
              <th scope="row">
                <span class="swatch" style={`background:${pageColourOf(index)}`} aria-hidden="true" />
                {run.label}
              </th>
              <td class="desk">{run.modules}</td>
              <Value value={percent(run.testAccuracy)} relative={points(run.relativeToBackprop.accuracy)} run={run} />
              <Value value={formatBytes(run.peakBytes)} relative={times(run.relativeToBackprop.memory)} run={run} />
              <Value value={formatSeconds(run.seconds)} relative={times(run.relativeToBackprop.time)} run={run} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Value({ value, relative, run }: { value: string; relative: string; run: MethodResult }) {
  return (
    <td>
      {value}
      <small>{run.method === 'backprop' ? 'reference' : relative}</small>
    </td>
  );
}

function Figure({ svg, description, caption }: PageFigure) {
  return (
    <figure>
      <div role="img" aria-label={description} dangerouslySetInnerHTML={{ __html: svg }} />
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

function Reading() {
  return (
    <section>
      <h2>How to read this</h2>
      <p>
        Training end to end must keep the activations of every layer until the backward pass comes by. Local learning
        cuts the network into modules that are each trained by a loss of their own: what a module kept is freed before
        the next one starts, so that peak memory is that of the largest module. The price is accuracy, because early
        modules cannot see what later ones need; better local methods pay less of it.
      </p>
      <p>
        Accuracy is that of the plain network on images it was not trained on; auxiliary networks take no part. Peak
        memory is the highest number of bytes in live tensors during a training step, counted exactly, with weights,
        optimizer state and the batch. Training time leaves evaluation out. Ratios and differences are to training end
        to end.
      </p>
    </section>
  );
}

function Trained({ results }: { results: QuickstartResults }) {
  const { runs, dataset, environment, backend } = results;
  const { config, seeds } = runs[0] as MethodResult;
  return (
    <section>
      <h2>What was trained</h2>
      <dl>
        <Fact name="Network">
          {backboneName(config)}: a CIFAR ResNet, {dataset.imageShape.join('×')} inputs
        </Fact>
        <Fact name="Images">
          {datasetName(dataset.name)}, {dataset.trainImages.toLocaleString('en-US')} for training,{' '}
          {dataset.testImages.toLocaleString('en-US')} for testing, {dataset.classes} classes
        </Fact>
        <Fact name="Training">
          {config.epochs} epochs, batches of {config.batch}, SGD with {config.nesterov ? 'Nesterov ' : ''}momentum{' '}
          {config.momentum}, weight decay {config.weightDecay}, learning rate {config.learningRate} ({config.schedule}
          {config.warmup === undefined ? '' : `, ${(100 * config.warmup).toFixed(0)} % warm-up`})
        </Fact>
        <Fact name="Seeds">
          {seeds.map(({ seed }) => seed).join(', ')} (means are shown; thin lines are single seeds)
        </Fact>
        {runs.map((run) => (
          <Fact name={run.label}>{explanations[run.method] ?? run.method}</Fact>
        ))}
        <Fact name="Machine">
          {backend.device}, {environment.cores} cores; {backend.name} backend with {backend.threads}{' '}
          {backend.threads === 1 ? 'thread' : 'threads'}; {environment.runtime}, TensorFlow.js {environment.tfjs}
          {environment.commit === null ? '' : `; commit ${environment.commit}`}
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Repeat({ results }: { results: QuickstartResults }) {
  const { config, seeds } = results.runs[0] as MethodResult;
  return (
    <section>
      <h2>How to repeat it</h2>
      <p>All of it, with this report ({setting(results)}):</p>
      <pre>
        localgrad quickstart --epochs {config.epochs} --seeds {seeds.length}
      </pre>
      <p>Single runs; the same seed gives the same network, bit for bit, on the same backend:</p>
      <pre>{results.runs.map(trainCommand).join('\n\n')}</pre>
    </section>
  );
}
