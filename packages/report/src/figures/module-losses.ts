import { domainOf } from '../charts/scales.js';
import type { ConditionRow, StudyView } from '../condition-rows.js';
import { lastLosses, type ObjectiveLoss } from '../curves.js';
import type { Figure } from './figure.js';
import { lossChart } from './loss-chart.js';

/** Heads whose losses have less weight are hardly trained. */
const leastWeight = 0.01;
const roleNames: Readonly<Record<string, string>> = {
  independent: 'one module',
  cascaded: 'window of modules',
  final: 'classifier',
};

/** Losses of the last epoch by module; null if no condition has more than one objective. */
export function moduleLosses({ rows }: StudyView): Figure | null {
  const drawn = rows.flatMap((row) => {
    const losses = lastLosses(row);
    return losses.length < 2 ? [] : [{ row, losses }];
  });
  if (drawn.length === 0) return null;
  const yDomain = domainOf(
    drawn.flatMap(({ losses }) => counting(losses).flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean])),
  );
  const lastModule = Math.max(...drawn.flatMap(({ losses }) => losses.map(({ module }) => module)));
  return {
    id: 'module-losses',
    title: 'Losses by module',
    caption: `Mean training loss of every objective over the last epoch, at the last module of its span, with its 95 % confidence interval: losses of single modules, losses over windows of modules (cascaded), and the loss of the network’s classifier. Losses of different kinds of heads are not comparable; losses of the same kind are, from module to module.${noteOn(drawn)}`,
    columns: 3,
    panels: drawn.map(({ row, losses }) => {
      const named = losses.map((loss) => {
        const isHigh = losses.some(({ role, mean }) => role === loss.role && mean > yDomain[1]);
        return { ...loss, kind: `${kindOf(loss, losses)}${isHigh ? ' ↑' : ''}` };
      });
      return {
        title: `Losses by module: ${row.condition.name}`,
        description: `Points by module. ${losses.map((loss) => `${kindOf(loss, losses)} at module ${loss.module}: ${lossText(loss.mean)}`).join('; ')}.`,
        spec: lossChart(`${row.number}. ${row.condition.name}`, named, lastModule, yDomain),
      };
    }),
    table: {
      columns: ['Condition', 'Objective', 'Kind', 'Weight', 'Module', 'Mean loss', '95 % CI'],
      rows: drawn.flatMap(({ row, losses }) =>
        losses.map((loss) => [
          row.condition.name,
          loss.id,
          nameOf(loss.role),
          loss.weight === undefined ? '–' : String(loss.weight),
          String(loss.module),
          lossText(loss.mean),
          loss.low === null || loss.high === null ? '–' : `${lossText(loss.low)} to ${lossText(loss.high)}`,
        ]),
      ),
    },
  };
}

/**
 * Losses that determine the axis. In runs without recorded weights, losses of single modules do not count next to cascaded
 * ones, as their default weight is small.
 */
function counting(losses: readonly ObjectiveLoss[]): readonly ObjectiveLoss[] {
  const hasWindows = losses.some(({ role }) => role === 'cascaded');
  const counted = losses.filter(({ weight, role }) =>
    weight === undefined ? !(hasWindows && role === 'independent') : weight >= leastWeight,
  );
  return counted.length === 0 ? losses : counted;
}

/** Kind of a loss, with its weight in this condition unless that is about 1. */
function kindOf({ role }: ObjectiveLoss, losses: readonly ObjectiveLoss[]): string {
  const weights = losses.flatMap((loss) => (loss.role === role && loss.weight !== undefined ? [loss.weight] : []));
  const [least, most] = [Math.min(...weights), Math.max(...weights)].map(short);
  if (weights.length === 0 || (least === '1' && most === '1')) return nameOf(role);
  return `${nameOf(role)}, weight ${least === most ? least : `${least} to ${most}`}`;
}

/** A loss with three decimals; small ones with three digits, since none of them is zero. */
function lossText(value: number): string {
  const size = Math.abs(value);
  return size > 0 && size < 0.1 ? value.toPrecision(3) : value.toFixed(3);
}

/** Roles of other decorators are shown as they are. */
function nameOf(role: string): string {
  return roleNames[role] ?? role;
}

function short(weight: number): string {
  return String(Number(weight.toPrecision(2)));
}

function noteOn(drawn: readonly { readonly row: ConditionRow; readonly losses: readonly ObjectiveLoss[] }[]): string {
  const left = drawn.flatMap(({ losses }) => losses.filter((loss) => !counting(losses).includes(loss)));
  const isNamed = drawn.some(({ losses }) => losses.some((loss) => kindOf(loss, losses) !== roleNames[loss.role]));
  return [
    isNamed ? ' Weights at the end of training are given unless they are 1.' : '',
    left.some(({ weight }) => weight !== undefined)
      ? ` Losses with a weight below ${leastWeight} do not determine the axis, as their heads are hardly trained.`
      : '',
    left.some(({ weight }) => weight === undefined)
      ? ' Some runs do not record the weights of their losses; if they have cascaded losses, those of single modules do not determine the axis. Losses near the logarithm of the number of classes, as for guessing, indicate heads with hardly any weight.'
      : '',
    left.length === 0 ? '' : ' Kinds marked with ↑ have losses above the axis; the table lists them.',
  ].join('');
}
