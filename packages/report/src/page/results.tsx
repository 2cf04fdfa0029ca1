import type { StudyView } from '../condition-rows.js';
import { colorsOf, panelsOf } from '../panels.js';
import { resultColumns } from '../results-table.js';
import { pageColorOf } from '../theme/palette.js';
import { Facts, Scroll } from './parts.js';

/** Of columns that every report has. */
const glossary = [
  {
    name: 'Test accuracy',
    value:
      'Of the plain network, without auxiliary networks, on images it was not trained on. “Last epoch” is what training ends with; “best epoch” picks the epoch by the test set itself and so is too high: it is shown because publications often report it, and is never mixed with the other.',
  },
  {
    name: '95 % CI',
    value:
      'Confidence interval of the mean over seeds by Student’s t. The BCa interval is the bias-corrected and accelerated bootstrap, which assumes no normal distribution; with few seeds it is too narrow.',
  },
  {
    name: 'Peak memory',
    value:
      'The highest number of bytes in live tensors during a training step, counted exactly, with weights, optimizer state and the batch.',
  },
  {
    name: 'Training time',
    value:
      'Of training steps alone, evaluation is left out: mean over runs, and half its 95 % interval as a share. Runs that share a machine disturb each other; `localgrad bench step` measures in turns.',
  },
  {
    name: 'Units of work',
    value: 'What a step computes, in forward passes of the whole network, auxiliary networks included; end to end: 3.',
  },
];

/** Of those that only comparisons have. */
const testGlossary = [
  {
    name: 'p (Holm)',
    value:
      'Welch’s two-sided test for a difference of means, adjusted by Holm’s method over all comparisons of the same kind in this report. Intervals of differences are not adjusted. Without two runs on each side there is no test.',
  },
  {
    name: 'Hedges’ g',
    value: 'The difference in units of the pooled standard deviation over seeds, corrected for small samples.',
  },
];

/** One row a condition. */
export function Results({ view }: { view: StudyView }) {
  const columns = resultColumns(view);
  const colors = colorsOf(panelsOf(view));
  const hasTests = view.study.compare !== null || view.reference !== null;
  return (
    <>
      <p class="hint">The table scrolls sideways: differences, tests and effect sizes stand to the right.</p>
      <Scroll label="Results by condition">
        <table class="results">
          <thead>
            <tr>
              {columns.map(({ title, isText }, index) => (
                <th scope="col" class={isText ? 'text' : index === 0 ? 'number' : undefined}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {view.rows.map((row) => (
              <tr>
                {columns.map(({ text, isText }, index) =>
                  index === 1 ? (
                    <th scope="row">
                      {colors.has(row.condition.key) && (
                        <span
                          class="swatch"
                          style={`background:${pageColorOf(colors.get(row.condition.key) ?? 0)}`}
                          aria-hidden="true"
                        />
                      )}
                      {text(row)}
                    </th>
                  ) : (
                    <td class={isText ? 'text' : undefined}>{text(row)}</td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <details>
        <summary>What the columns mean</summary>
        <Facts facts={hasTests ? [...glossary, ...testGlossary] : glossary} />
      </details>
    </>
  );
}
