import type { History, PlanFacts, Reply, Status } from '../worker/protocol.js';
import { emptyHistory, withLosses } from './history.js';

/** What the page shows of a run. */
export interface RunView {
  readonly status: Status;
  readonly plan?: PlanFacts;
  readonly error?: string;
  /** Why the browser does not store the run. */
  readonly storeProblem?: string;
  readonly step: number;
  readonly history: History;
  /** Number of tensors in the worker, and bytes that its backend uses. */
  readonly tensors: number;
  readonly bytesInUse: number;
}

export const openingView: RunView = { status: 'opening', step: 0, history: emptyHistory, tensors: 0, bytesInUse: 0 };

/** The view after a reply of the worker. */
export function nextView(view: RunView, reply: Reply): RunView {
  switch (reply.type) {
    case 'plan': {
      const { error: _, ...rest } = view;
      return { ...rest, plan: reply.plan };
    }
    case 'restored':
      return { ...view, status: reply.status, step: reply.step, history: reply.history };
    case 'progress': {
      const { losses, epochs, probe } = view.history;
      const history: History = {
        steps: reply.steps,
        losses: withLosses(losses, reply.losses),
        epochs: [...epochs, ...reply.epochs],
        ...(probe === undefined ? {} : { probe }),
      };
      return { ...view, step: reply.step, history, tensors: reply.tensors, bytesInUse: reply.bytesInUse };
    }
    case 'probe':
      return { ...view, history: { ...view.history, probe: reply.accuracies } };
    case 'store': {
      const { storeProblem: _, ...rest } = view;
      return reply.problem === undefined ? rest : { ...rest, storeProblem: reply.problem };
    }
    case 'status': {
      if (reply.status === 'ready' || reply.status === 'opening') {
        const { plan, storeProblem } = view;
        return {
          ...openingView,
          status: reply.status,
          ...(plan === undefined ? {} : { plan }),
          ...(storeProblem === undefined ? {} : { storeProblem }),
        };
      }
      return { ...view, status: reply.status };
    }
    case 'error': {
      // What cannot be opened has no plan; one that is shown would be that of earlier settings.
      const { plan, ...rest } = view;
      return { ...rest, ...(view.status === 'opening' || plan === undefined ? {} : { plan }), error: reply.message };
    }
    default:
      return view;
  }
}
