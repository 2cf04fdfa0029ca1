import type { ObjectiveDescription } from '@localgrad/engine';
import type { RunView } from '../run/view.js';
import { moduleColor } from './colors.js';
import { loss, percent } from './format.js';

/** The plan as a table: modules are columns, losses are rows, and a bar covers the modules that a loss trains. */
export function PlanFigure({ view, label }: { readonly view: RunView; readonly label: string }) {
  const { plan, history } = view;
  if (plan === undefined) {
    return (
      <p class="hint">
        {view.status === 'failed' ? 'There is no plan.' : 'The plan appears when the backend has started.'}
      </p>
    );
  }
  const { modules, objectives } = plan.description;
  const latest = history.losses.at(-1)?.losses ?? {};
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: wide tables scroll, also by keyboard.
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table class="plan" style={{ '--modules': String(modules.length) }}>
        <caption class="visually-hidden">
          Losses of the plan, the modules that each trains, and their latest values
        </caption>
        <thead>
          <tr>
            <th scope="col">loss</th>
            {modules.map(({ index, name, blocks }) => (
              <th key={index} scope="col" class="module" title={`Module ${index}, up to ${name}: ${blocks.join(', ')}`}>
                {index}
              </th>
            ))}
            <th scope="col" class="value">
              value
            </th>
          </tr>
        </thead>
        <tbody>
          {objectives.map((objective) => (
            <ObjectiveRow
              key={objective.id}
              objective={objective}
              modules={modules.length}
              value={latest[objective.id]}
            />
          ))}
        </tbody>
        {history.probe !== undefined && <ProbeRow probe={history.probe} />}
      </table>
    </section>
  );
}

interface RowProps {
  readonly objective: ObjectiveDescription;
  readonly modules: number;
  readonly value: number | undefined;
}

function ObjectiveRow({ objective, modules, value }: RowProps) {
  const { id, head, span, weight, borrows } = objective;
  const [from, to] = span;
  const rest = modules - 1 - to;
  const chain = Math.min(rest, borrows?.length ?? 0);
  return (
    <tr>
      <th scope="row" title={`Head: ${head}; weight ${weight}`}>
        {id}
      </th>
      {from > 0 && <td colSpan={from} />}
      <td colSpan={to - from + 1}>
        <span class="span" style={{ background: moduleColor(to, modules) }}>
          <span class="visually-hidden">{from === to ? `module ${to}` : `modules ${from} to ${to}`}</span>
        </span>
      </td>
      {rest > 0 && (
        <td colSpan={rest}>
          {chain > 0 && (
            <span
              class="chain"
              style={{ width: `${(100 * chain) / rest}%`, color: moduleColor(to, modules) }}
              title={`The head applies copies of ${borrows?.length} later blocks.`}
            >
              <span class="visually-hidden">copies of {borrows?.length} later blocks</span>
            </span>
          )}
        </td>
      )}
      <td class="value">{value === undefined ? '–' : loss(value)}</td>
    </tr>
  );
}

/** Test accuracy of a linear classifier on each module's output. */
function ProbeRow({ probe }: { readonly probe: readonly number[] }) {
  return (
    <tfoot>
      <tr class="probe">
        <th scope="row" title="Test accuracy of a linear classifier that is fitted to each module's output">
          probe
        </th>
        {probe.map((accuracy, index) => (
          <td key={index} title={`Module ${index}: ${percent(accuracy)}`}>
            <span
              class="bar"
              style={{ height: `${2.5 * accuracy}rem`, background: moduleColor(index, probe.length) }}
            />
            {Math.round(100 * accuracy)}
          </td>
        ))}
        <td class="value">%</td>
      </tr>
    </tfoot>
  );
}
