import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ranges } from '../settings/settings.js';
import { ranges as allRanges } from '../settings/settings.js';
import { isAllowed } from '../settings/url.js';

interface NumberFieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly range: keyof typeof ranges;
  onChange(value: number): void;
}

/** A number within its range. What is typed counts once it is allowed. */
export function NumberField({ id, label, value, range, onChange }: NumberFieldProps) {
  const [text, setText] = useState(String(value));
  const [least, most] = allRanges[range];
  useEffect(() => setText(String(value)), [value]);
  const isValid = text.trim() !== '' && isAllowed(range, Number(text));
  const message = `${least} to ${most.toLocaleString('en-US')}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={least}
        max={most}
        step={range === 'learningRate' ? 'any' : 1}
        value={text}
        aria-invalid={!isValid}
        aria-describedby={isValid ? undefined : `${id}-range`}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
          const typed = Number(currentTarget.value);
          if (currentTarget.value.trim() !== '' && isAllowed(range, typed)) onChange(typed);
        }}
        onBlur={() => setText(String(value))}
      />
      {!isValid && (
        <span class="error" id={`${id}-range`}>
          {message}
        </span>
      )}
    </div>
  );
}

export interface SelectFieldProps<Value extends string> {
  readonly id: string;
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [value: Value, text: string])[];
  onChange(value: Value): void;
}

export function SelectField<Value extends string>({ id, label, value, options, onChange }: SelectFieldProps<Value>) {
  const isKnown = options.some(([option]) => option === value);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        onChange={({ currentTarget }) => {
          const chosen = options.find(([option]) => option === currentTarget.value);
          if (chosen !== undefined) onChange(chosen[0]);
        }}
      >
        {!isKnown && <option value={value}>{value}</option>}
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly isPrimary?: boolean;
  readonly isDisabled?: boolean;
  readonly isPressed?: boolean;
  onClick(): void;
}

export function Button({ children, isPrimary = false, isDisabled = false, isPressed, onClick }: ButtonProps) {
  return (
    <button
      type="button"
      class={isPrimary ? 'primary' : ''}
      disabled={isDisabled}
      aria-pressed={isPressed}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
