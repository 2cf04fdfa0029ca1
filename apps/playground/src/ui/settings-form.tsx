import type { ComponentChildren } from 'preact';
import type { Pictures } from '../pictures/use-pictures.js';
import { backbones, type SharedSettings } from '../settings/settings.js';
import { NumberField, SelectField, type SelectFieldProps } from './fields.js';
import { PicturesField } from './pictures-field.js';

export interface SettingsFormProps {
  readonly shared: SharedSettings;
  readonly pictures: Pictures;
  /** While a run is training. */
  readonly isDisabled: boolean;
  onChange(change: Partial<SharedSettings>): void;
}

const datasets = [
  ['fashion-mnist-subset', 'Fashion-MNIST'],
  ['own', 'My own pictures'],
] as const;

const backends = [
  ['auto', 'fastest'],
  ['wasm', 'WebAssembly'],
  ['webgpu', 'WebGPU'],
] as const;

const threadCounts = ['auto', '1', '2', '4', '8'].map((value): [string, string] => [value, value]);

/** The settings that both runs share. */
export function SettingsForm({ shared, pictures, isDisabled, onChange }: SettingsFormProps) {
  const number = (
    range: 'width' | 'epochs' | 'batch' | 'learningRate' | 'seed' | 'resize' | 'trainImages',
    label: string,
  ) => (
    <NumberField
      id={range}
      label={label}
      value={shared[range]}
      range={range}
      onChange={(value) => onChange({ [range]: value })}
    />
  );
  const choice = <Key extends 'dataset' | 'backbone' | 'backend'>(
    key: Key,
    label: string,
    options: SelectFieldProps<SharedSettings[Key]>['options'],
  ) => (
    <SelectField
      id={key}
      label={label}
      value={shared[key]}
      options={options}
      onChange={(value) => onChange({ [key]: value })}
    />
  );
  const isOwn = shared.dataset === 'own';
  return (
    <fieldset class="panel settings" disabled={isDisabled}>
      <legend class="visually-hidden">Settings of both runs</legend>
      <Group title="Images">
        {choice('dataset', 'Data set', datasets)}
        {number('resize', 'Size')}
        {!isOwn && number('trainImages', 'Images')}
      </Group>
      <Group title="Network">
        {choice(
          'backbone',
          'Backbone',
          backbones.map((name) => [name, name]),
        )}
        {number('width', 'Width')}
      </Group>
      <Group title="Training">
        {number('epochs', 'Epochs')}
        {number('batch', 'Batch')}
        {number('learningRate', 'Rate')}
        {number('seed', 'Seed')}
      </Group>
      <Group title="Device">
        {choice('backend', 'Backend', backends)}
        <SelectField
          id="threads"
          label="Threads"
          value={String(shared.threads)}
          options={threadCounts}
          onChange={(value) => onChange({ threads: value === 'auto' ? value : Number(value) })}
        />
      </Group>
      {isOwn && <PicturesField pictures={pictures} size={shared.resize} />}
    </fieldset>
  );
}

function Group({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <div class="group">
      <h2>{title}</h2>
      <div class="row">{children}</div>
    </div>
  );
}
