import type { ComponentChildren } from 'preact';
import type { DrawnFigure } from '../figures/drawn-figures.js';
import type { DataTable } from '../figures/figure.js';
import { counted } from '../text/wording.js';
import { withOwnIds } from '../theme/markup.js';
import { withPageColors } from '../theme/palette.js';

/** A section of the page with a heading that can be linked to. */
export function Section({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

/** A container that scrolls if its content is wider than the page. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable content must be reachable by keyboard
    <section class="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

/** Literal text that scrolls. */
export function Code({ label, text }: { label: string; text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable content must be reachable by keyboard
    <section class="scroll code" aria-label={label} tabIndex={0}>
      <pre>{text}</pre>
    </section>
  );
}

/** A list of names and values. */
export function Facts({ facts }: { facts: readonly { readonly name: string; readonly value: string }[] }) {
  return (
    <dl>
      {facts.map(({ name, value }) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

function Numbers({ title, table }: { title: string; table: DataTable }) {
  return (
    <details>
      <summary>Numbers of “{title}”</summary>
      <Scroll label={`Numbers of ${title}`}>
        <table>
          <thead>
            <tr>
              {table.columns.map((column, index) => (
                <th scope="col" class={index === 0 ? 'text' : undefined}>
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map(([first, ...cells]) => (
              <tr>
                <th scope="row">{first}</th>
                {cells.map((cell) => (
                  <td>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

/** Number of panels that are open; on a phone, readers must scroll past each of them. */
const mostPanels = 12;

function Panels({ figure, from, to }: { figure: DrawnFigure; from: number; to?: number }) {
  const { id, panelSvgs, columns = 2, hasLead = false } = figure;
  return (
    <div class={`figures${columns > 2 ? ' narrow' : ''}${hasLead ? ' lead-first' : ''}`}>
      {panelSvgs.slice(from, to).map((svg, index) => (
        <div
          class="panel"
          dangerouslySetInnerHTML={{ __html: withOwnIds(withPageColors(svg), `${id}-${from + index + 1}-`) }}
        />
      ))}
    </div>
  );
}

/** A figure with its panels side by side if there is room, and its numbers. */
export function FigurePart({ figure }: { figure: DrawnFigure }) {
  const { id, caption, panelSvgs, table, heading: title = figure.title } = figure;
  return (
    <Section id={id} title={title}>
      <figure>
        <Panels figure={figure} from={0} to={mostPanels} />
        {panelSvgs.length > mostPanels && (
          <details>
            <summary>{counted(panelSvgs.length - mostPanels, 'more panel')}</summary>
            <Panels figure={figure} from={mostPanels} />
          </details>
        )}
        <figcaption>
          {caption} Files: <a href={`figures/${id}.svg`}>figures/{id}.svg</a>,{' '}
          <a href={`figures/${id}.png`}>figures/{id}.png</a>.
        </figcaption>
      </figure>
      <Numbers title={title} table={table} />
    </Section>
  );
}
