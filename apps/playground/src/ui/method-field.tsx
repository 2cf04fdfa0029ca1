import { useRef, useState } from 'preact/hooks';
import { accept, type Completion, complete, type Suggestion } from '../settings/completion.js';

export interface MethodFieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly names: readonly Suggestion[];
  readonly isInvalid: boolean;
  readonly describedBy: string;
  onChange(value: string): void;
}

const endings: Readonly<Record<Suggestion['kind'], string>> = { method: '', decorator: '(…)', head: '', option: ':' };

/** A method expression, with a list of the names and options that can be written at the cursor. */
export function MethodField({ id, label, value, names, isInvalid, describedBy, onChange }: MethodFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  const [completion, setCompletion] = useState<Completion>();
  const [active, setActive] = useState(-1);
  const shown = completion?.suggestions ?? [];
  const isOpen = shown.length > 0;

  const suggest = (text: string, cursor: number | null) => {
    setCompletion(complete(text, cursor ?? text.length, names));
    setActive(-1);
  };
  const close = () => {
    setCompletion(undefined);
    setActive(-1);
  };
  const choose = (suggestion: Suggestion) => {
    if (completion === undefined) return;
    const { text, cursor } = accept(value, completion, suggestion);
    // At once, not when the text is rendered: the next character may be typed before.
    const field = input.current;
    if (field !== null) {
      field.value = text;
      field.focus();
      field.setSelectionRange(cursor, cursor);
    }
    onChange(text);
    // A method inside the decorator, or a head after `head:`.
    if (suggestion.kind === 'decorator' || suggestion.kind === 'option') suggest(text, cursor);
    else close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const chosen = shown[active];
    if (event.key === 'Escape' && isOpen) close();
    else if (event.key === 'ArrowDown' && !isOpen) suggest(value, input.current?.selectionStart ?? null);
    else if (event.key === 'ArrowDown') setActive((active + 1) % shown.length);
    else if (event.key === 'ArrowUp' && isOpen)
      setActive((active + shown.length - (active < 0 ? 0 : 1)) % shown.length);
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen !== undefined) choose(chosen);
    else return;
    event.preventDefault();
  };

  return (
    <div class="field method">
      <label for={id}>{label}</label>
      <input
        id={id}
        ref={input}
        value={value}
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={isOpen}
        aria-controls={`${id}-names`}
        aria-activedescendant={active < 0 ? undefined : `${id}-${active}`}
        aria-invalid={isInvalid}
        aria-describedby={describedBy}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={({ currentTarget }) => {
          onChange(currentTarget.value);
          suggest(currentTarget.value, currentTarget.selectionStart);
        }}
        onClick={({ currentTarget }) => suggest(currentTarget.value, currentTarget.selectionStart)}
        onKeyDown={onKeyDown}
        onBlur={close}
      />
      <div id={`${id}-names`} role="listbox" aria-label="Suggestions" class="names" hidden={!isOpen}>
        {shown.map((suggestion, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the text field, which names the active option.
          <div
            key={suggestion.name}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            onMouseDown={(event) => {
              // The field keeps the focus.
              event.preventDefault();
              choose(suggestion);
            }}
          >
            <code>{`${suggestion.name}${endings[suggestion.kind]}`}</code>
            <span>{suggestion.description}</span>
          </div>
        ))}
      </div>
    </div>
  );
}
