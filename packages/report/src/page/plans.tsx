import { type PlanFile, planCaption } from '../plan-files.js';
import { withOwnIds } from '../theme/markup.js';
import { Section } from './parts.js';

/** Drawings of plans. Only the first is open: plans of similar methods look alike, and each is as wide as the page. */
export function Plans({ plans: [first, ...others] }: { plans: readonly PlanFile[] }) {
  return (
    <Section id="plans" title="What was trained">
      <p>{planCaption}</p>
      <div class="figures plans">
        {first !== undefined && <Plan plan={first} number={1} />}
        {others.map((plan, index) => (
          <details>
            <summary>{plan.title}</summary>
            <Plan plan={plan} number={index + 2} />
          </details>
        ))}
      </div>
    </Section>
  );
}

function Plan({ plan: { id, title, svg }, number }: { plan: PlanFile; number: number }) {
  return (
    <figure>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable content must be reachable by keyboard */}
      <section class="panel" aria-label={`Plan ${number}: ${title}`} tabIndex={0}>
        <div dangerouslySetInnerHTML={{ __html: withOwnIds(elementOf(svg), `plan-${number}-`) }} />
      </section>
      <figcaption>
        {title}. Files: <a href={`figures/${id}.svg`}>figures/{id}.svg</a>,{' '}
        <a href={`figures/${id}.png`}>figures/{id}.png</a>.
      </figcaption>
    </figure>
  );
}

/** The SVG element without an XML declaration. Its colors require a white background, also on a dark page. */
function elementOf(svg: string): string {
  return svg.slice(Math.max(0, svg.indexOf('<svg')));
}
