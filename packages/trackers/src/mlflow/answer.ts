import { MlflowFailure } from './failure.js';

/** Answers of a tracking server to the requests of a run have a few hundred bytes. */
const longestAnswer = 1_000_000;

/** Reads an answer's text; throws and drops the connection as soon as it exceeds the limit. */
export async function readAnswer(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > longestAnswer) {
      await reader.cancel();
      throw new MlflowFailure(`its answer exceeds ${longestAnswer} bytes; is it MLflow?`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** A parsed JSON answer whose fields are read with checks. */
export class Answer {
  readonly #content: unknown;

  constructor(text: string) {
    try {
      this.#content = JSON.parse(text);
    } catch {
      throw new MlflowFailure('its answer is not JSON; is it MLflow?');
    }
  }

  /** Non-empty text at a path. @throws MlflowFailure if there is none */
  text(...path: readonly (string | number)[]): string {
    const found = this.optionalText(...path);
    if (found === undefined) throw new MlflowFailure(`its answer has no ${path.join('.')}; is it MLflow?`);
    return found;
  }

  optionalText(...path: readonly (string | number)[]): string | undefined {
    let value: unknown = this.#content;
    for (const key of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = Reflect.get(value, key);
    }
    return typeof value === 'string' && value !== '' ? value : undefined;
  }
}
