import type { StudyView } from '../condition-rows.js';
import { colorsOf, panelsOf } from '../panels.js';
import { resultColumns } from '../results-table.js';
import { bestEpochNote } from '../selection.js';
import { pageColorOf } from '../theme/palette.js';
import { Facts, Scroll } from './parts.js';

/** Columns of every report. */
const glossary = ({ selection, metric }: StudyView) => [
  {
    name: `Test ${metric.name}`,
    value: `${metric.title} of the network without auxiliary networks on test images. “Last epoch” is the result of training. “Best epoch” ${bestEpochNote(selection)}; it is shown because publications often report it, and is never mixed with the other. † marks means that omit runs that diverged or were stopped early.`,
  },
  {
    name: '95 % CI',
    value:
      'Student’s t confidence interval of the mean over seeds. The BCa interval is the bias-corrected and accelerated bootstrap, which assumes no normal distribution; with few seeds it is too narrow.',
  },
  {
    name: 'Peak memory',
    value:
      'Highest number of bytes in live tensors during a training step, counted exactly, including weights, optimizer state and the batch.',
  },
  {
    name: 'Training time',
    value:
      'Time of training steps without evaluation: mean over runs, with half of its 95 % interval in per cent. Runs that share a machine disturb each other; `localgrad bench step` measures methods in turns.',
  },
  {
    name: 'Units of work',
    value:
      'Compute of a step in forward passes of the whole network, including auxiliary networks. End-to-end training needs 3.',
  },
];

/** Columns of comparisons. */
const testGlossary = [
  {
    name: 'p (Holm)',
    value:
      'p value of Welch’s two-sided test, adjusted by Holm’s method over all comparisons of the same kind in this report. Intervals of differences are not adjusted. A test requires two runs on each side.',
  },
  {
    name: 'Hedges’ g',
    value: 'Difference in units of the pooled standard deviation over seeds, corrected for small samples.',
  },
];

/** Table with one row per condition. */
export function Results({ view }: { view: StudyView }) {
  const columns = resultColumns(view);
  const colors = colorsOf(panelsOf(view));
  const hasTests = view.study.compare !== null || view.reference !== null;
  return (
    <>
      <p class="hint">The table scrolls sideways: differences, tests and effect sizes are on the right.</p>
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
        <Facts facts={hasTests ? [...glossary(view), ...testGlossary] : glossary(view)} />
      </details>
    </>
  );
}
