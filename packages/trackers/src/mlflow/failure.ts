import { errorCodeOf, messageOf } from '@localgrad/core';
/** Why a request failed. */
export class MlflowFailure extends Error {
  /** The same request may succeed later: the server is unreachable, busy or broken. */
  readonly isTransient: boolean;
  /** No other request about this run can succeed either: the run does not exist, or access is denied. */
  readonly isFinal: boolean;
  /** There was no answer at all. */
  readonly isUnreachable: boolean;
  /** MLflow error code, e.g. `RESOURCE_DOES_NOT_EXIST`. */
  readonly code: string | undefined;
  /** Milliseconds to wait before the next request, as requested by the server. */
  readonly retryAfter: number;

  constructor(
    message: string,
    facts: {
      isTransient?: boolean;
      isFinal?: boolean;
      isUnreachable?: boolean;
      code?: string | undefined;
      retryAfter?: number;
    } = {},
  ) {
    super(message);
    this.isTransient = facts.isTransient ?? false;
    this.isFinal = facts.isFinal ?? false;
    this.isUnreachable = facts.isUnreachable ?? false;
    this.code = facts.code;
    this.retryAfter = facts.retryAfter ?? 0;
  }
}

/** Converts what `fetch` throws; the reason is usually in its cause. */
export function connectionFailure(error: unknown): MlflowFailure {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const reason = errorCodeOf(cause) ?? messageOf(cause);
  return new MlflowFailure(`it cannot be reached (${reason})`, { isTransient: true, isUnreachable: true });
}

/** @param text body of the answer */
export function answerFailure(response: Response, text: string): MlflowFailure {
  const answer = parsed(text);
  const code = textIn(answer, 'error_code');
  const message = textIn(answer, 'message') ?? text;
  const { status } = response;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  // It becomes part of a sentence that ends with a period.
  const reason = message.slice(0, 300).replace(/[.\s]+$/, '');
  const what = [status, code].filter((part) => part !== undefined).join(' ');
  return new MlflowFailure(`it answers ${what}${reason === '' ? '' : `: ${reason}`}`, {
    code,
    isTransient: status === 408 || status === 429 || status >= 500,
    isFinal: [401, 403, 404].includes(status),
    retryAfter: Number.isFinite(seconds) ? Math.max(0, 1000 * seconds) : 0,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textIn(answer: unknown, key: string): string | undefined {
  const value: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, key) : undefined;
  return typeof value === 'string' ? value : undefined;
}
