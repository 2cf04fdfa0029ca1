import type { RunView } from '../run/view.js';
import { bytes, percent, times, whole } from './format.js';

/** Accuracy, memory and speed of a run. */
export function Metrics({ view: { plan, history, step } }: { readonly view: RunView }) {
  const last = history.epochs.at(-1);
  const { endToEnd, description } = plan ?? {};
  const peak = last?.peakBytes ?? description?.totals.predictedPeakBytes;
  return (
    <dl class="metrics">
      <div>
        <dt>Test accuracy</dt>
        <dd>{last === undefined ? '–' : percent(last.testAccuracy)}</dd>
        <dd class="note">{last === undefined ? 'after the first epoch' : `after epoch ${last.epoch}`}</dd>
      </div>
      <div>
        <dt>Peak memory</dt>
        <dd>{peak === undefined ? '–' : bytes(peak)}</dd>
        <dd class="note">
          {peak === undefined || endToEnd === undefined
            ? ''
            : `${last === undefined ? 'predicted, ' : ''}${times(peak / endToEnd.peakBytes)} end to end`}
        </dd>
      </div>
      <div>
        <dt>Work</dt>
        <dd>
          {description === undefined || endToEnd === undefined
            ? '–'
            : times(description.totals.unitsOfWork / endToEnd.unitsOfWork)}
        </dd>
        <dd class="note">end to end, per step</dd>
      </div>
      <div>
        <dt>Speed</dt>
        <dd>{last === undefined ? '–' : whole(last.imagesPerSecond)}</dd>
        <dd class="note">{last === undefined ? (step > 0 ? `step ${step}` : 'images/s') : 'images/s'}</dd>
      </div>
    </dl>
  );
}
