/** Why a request was not answered as it should be. */
export class MlflowFailure extends Error {
  /** The same request may succeed later: the server cannot be reached, is busy or is broken. */
  readonly isTransient: boolean;
  /** No other request about this run will succeed either: it is not there, or may not be written to. */
  readonly isFinal: boolean;
  /** MLflow's own word, e.g. `RESOURCE_DOES_NOT_EXIST`. */
  readonly code: string | undefined;
  /** Milliseconds that the server asks to be left alone for. */
  readonly retryAfter: number;

  constructor(
    message: string,
    facts: { isTransient?: boolean; isFinal?: boolean; code?: string | undefined; retryAfter?: number } = {},
  ) {
    super(message);
    this.isTransient = facts.isTransient ?? false;
    this.isFinal = facts.isFinal ?? false;
    this.code = facts.code;
    this.retryAfter = facts.retryAfter ?? 0;
  }
}

/** What `fetch` throws: the reason is mostly in its cause. */
export function connectionFailure(error: unknown): MlflowFailure {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  const reason = cause?.code ?? cause?.message ?? message ?? String(error);
  return new MlflowFailure(`it cannot be reached (${reason})`, { isTransient: true });
}

export async function answerFailure(response: Response): Promise<MlflowFailure> {
  const text = await response.text().catch(() => '');
  const { error_code: code, message = text } = parsed(text) as { error_code?: string; message?: string };
  const { status } = response;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  // The messages that it becomes part of have full stops of their own.
  const reason = message.slice(0, 300).replace(/[.\s]+$/, '');
  const what = [status, code].filter((part) => part !== undefined).join(' ');
  return new MlflowFailure(`it answers ${what}${reason === '' ? '' : `: ${reason}`}`, {
    code,
    isTransient: status === 408 || status === 429 || status >= 500,
    isFinal: [401, 403, 404].includes(status),
    retryAfter: Number.isFinite(seconds) ? Math.max(0, 1000 * seconds) : 0,
  });
}

function parsed(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
