import { resultsOf } from '@localgrad/train';
import type { StudyView } from '../condition-rows.js';
import { bestEpochOf } from '../selection.js';
import { bytes, counted, duration, seedsOf } from '../text/wording.js';
import { Scroll } from './parts.js';

/** Every run with a link to its folder, after the missing ones. */
export function Runs({ view, linkTo }: { view: StudyView; linkTo: (folder: string) => string | null }) {
  const { metric, value } = view.metric;
  const unfinished = view.rows.filter(({ missing }) => missing.length > 0);
  const stopped = view.rows.flatMap((row) => row.stopped.map((stop) => ({ name: row.condition.name, ...stop })));
  return (
    <>
      {unfinished.length > 0 && (
        <>
          <p>Missing or failed:</p>
          <ul>
            {unfinished.map(({ condition, missing }) => (
              <li>
                {condition.name}: {seedsOf(missing)}
              </li>
            ))}
          </ul>
        </>
      )}
      {stopped.length > 0 && (
        <>
          <p>Stopped early:</p>
          <ul>
            {stopped.map(({ name, seed, reason }) => (
              <li>
                {name}, seed {seed}: {reason}
              </li>
            ))}
          </ul>
        </>
      )}
      {view.finished > 0 && (
        <details>
          <summary>{counted(view.finished, 'finished run')}</summary>
          <Scroll label="Finished runs">
            <table>
              <thead>
                <tr>
                  {[
                    'Condition',
                    'Seed',
                    'Last epoch',
                    'Best epoch',
                    'Training time',
                    'Peak memory',
                    'Resumed',
                    'Folder',
                  ].map((title) => (
                    <th scope="col" class={title === 'Condition' || title === 'Folder' ? 'text' : undefined}>
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {view.rows.flatMap(({ condition, diverged }) =>
                  [...condition.runs, ...diverged].map(({ seed, folder, summary }, index) => (
                    <tr>
                      <th scope="row">{condition.name}</th>
                      <td>{seed}</td>
                      <td>{index < condition.runs.length ? value(resultsOf(summary, metric).test) : 'diverged'}</td>
                      <td>{value(bestEpochOf(summary, view.selection, metric))}</td>
                      <td>{duration(summary.seconds)}</td>
                      <td>{bytes(summary.peakBytes)}</td>
                      <td>{summary.resumptions === 0 ? 'no' : counted(summary.resumptions, 'time')}</td>
                      <td class="text">
                        <RunFolder name={summary.runId} address={linkTo(folder)} />
                      </td>
                    </tr>
                  )),
                )}
              </tbody>
            </table>
          </Scroll>
        </details>
      )}
    </>
  );
}

function RunFolder({ name, address }: { name: string; address: string | null }) {
  return address === null ? <code>{name}</code> : <a href={address}>{address}</a>;
}
