import { domainOf } from '../charts/scales.js';
import type { ConditionRow, StudyView } from '../condition-rows.js';
import { lastLosses, type ObjectiveLoss } from '../curves.js';
import type { Figure } from './figure.js';
import { lossChart } from './loss-chart.js';

/** Heads whose losses weigh less are hardly trained, and their losses say little. */
const leastWeight = 0.01;
const roleNames = { independent: 'one module', cascaded: 'window of modules', final: 'classifier' } as const;

/** Losses of the last epoch by module; null where no condition has more than one objective. */
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
    caption: `Mean training loss over the last epoch of every objective, at the last module that it reads, with its 95 % confidence interval. Losses of one module each, those that reach back over a window of modules (cascaded), and that of the network’s own classifier. Losses of different kinds of heads cannot be compared with each other; those of one kind can, from module to module.${noteOn(drawn)}`,
    columns: 3,
    panels: drawn.map(({ row, losses }) => {
      const named = losses.map((loss) => {
        const isHigh = losses.some(({ role, mean }) => role === loss.role && mean > yDomain[1]);
        return { ...loss, kind: `${kindOf(loss, losses)}${isHigh ? ' ↑' : ''}` };
      });
      return {
        title: `Losses by module: ${row.condition.name}`,
        description: `Points by module. ${losses.map((loss) => `${kindOf(loss, losses)} at module ${loss.module}: ${loss.mean.toFixed(3)}`).join('; ')}.`,
        spec: lossChart(`${row.number}. ${row.condition.name}`, named, lastModule, yDomain),
      };
    }),
    table: {
      columns: ['Condition', 'Objective', 'Kind', 'Weight', 'Module', 'Mean loss', '95 % CI'],
      rows: drawn.flatMap(({ row, losses }) =>
        losses.map((loss) => [
          row.condition.name,
          loss.id,
          roleNames[loss.role],
          loss.weight === undefined ? '–' : String(loss.weight),
          String(loss.module),
          loss.mean.toFixed(3),
          loss.low === null || loss.high === null ? '–' : `${loss.low.toFixed(3)} to ${loss.high.toFixed(3)}`,
        ]),
      ),
    },
  };
}

/**
 * Losses that set the axis. Runs that do not say weights are judged by their plans: beside cascaded losses, those of one
 * module have a weight that hardly counts by default.
 */
function counting(losses: readonly ObjectiveLoss[]): readonly ObjectiveLoss[] {
  const hasWindows = losses.some(({ role }) => role === 'cascaded');
  const counted = losses.filter(({ weight, role }) =>
    weight === undefined ? !(hasWindows && role === 'independent') : weight >= leastWeight,
  );
  return counted.length === 0 ? losses : counted;
}

/** A kind of loss, with its weight in this condition where that is not about 1. */
function kindOf({ role }: ObjectiveLoss, losses: readonly ObjectiveLoss[]): string {
  const weights = losses.flatMap((loss) => (loss.role === role && loss.weight !== undefined ? [loss.weight] : []));
  const [least, most] = [Math.min(...weights), Math.max(...weights)].map(short);
  if (weights.length === 0 || (least === '1' && most === '1')) return roleNames[role];
  return `${roleNames[role]}, weight ${least === most ? least : `${least} to ${most}`}`;
}

function short(weight: number): string {
  return String(Number(weight.toPrecision(2)));
}

function noteOn(drawn: readonly { readonly row: ConditionRow; readonly losses: readonly ObjectiveLoss[] }[]): string {
  const left = drawn.flatMap(({ losses }) => losses.filter((loss) => !counting(losses).includes(loss)));
  const isNamed = drawn.some(({ losses }) => losses.some((loss) => kindOf(loss, losses) !== roleNames[loss.role]));
  return [
    isNamed ? ' Weights at the end of training are named where they are not 1.' : '',
    left.some(({ weight }) => weight !== undefined)
      ? ` Losses whose weight is below ${leastWeight} do not set the axis, as their heads are hardly trained.`
      : '',
    left.some(({ weight }) => weight === undefined)
      ? ' Some runs do not say the weights of their losses; where there are cascaded losses in them, those of one module do not set the axis. If they are near the logarithm of the number of classes, as by guessing, their heads hardly count.'
      : '',
    left.length === 0 ? '' : ' Kinds marked with ↑ have losses above the axis; their numbers are in the table.',
  ].join('');
}
