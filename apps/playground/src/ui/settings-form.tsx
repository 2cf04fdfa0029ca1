import type { Pictures } from '../pictures/use-pictures.js';
import { backbones, type SharedSettings } from '../settings/settings.js';
import { NumberField, SelectField } from './fields.js';
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
  const isOwn = shared.dataset === 'own';
  return (
    <fieldset class="panel settings" disabled={isDisabled}>
      <legend class="visually-hidden">Settings of both runs</legend>
      <div class="group">
        <h2>Images</h2>
        <div class="row">
          <SelectField
            id="dataset"
            label="Data set"
            value={shared.dataset}
            options={datasets}
            onChange={(dataset) => onChange({ dataset })}
          />
          {number('resize', 'Size')}
          {!isOwn && number('trainImages', 'Images')}
        </div>
      </div>
      <div class="group">
        <h2>Network</h2>
        <div class="row">
          <SelectField
            id="backbone"
            label="Backbone"
            value={shared.backbone}
            options={backbones.map((name) => [name, name])}
            onChange={(backbone) => onChange({ backbone })}
          />
          {number('width', 'Width')}
        </div>
      </div>
      <div class="group">
        <h2>Training</h2>
        <div class="row">
          {number('epochs', 'Epochs')}
          {number('batch', 'Batch')}
          {number('learningRate', 'Rate')}
          {number('seed', 'Seed')}
        </div>
      </div>
      <div class="group">
        <h2>Device</h2>
        <div class="row">
          <SelectField
            id="backend"
            label="Backend"
            value={shared.backend}
            options={backends}
            onChange={(backend) => onChange({ backend })}
          />
          <SelectField
            id="threads"
            label="Threads"
            value={String(shared.threads)}
            options={['auto', '1', '2', '4', '8'].map((value) => [value, value])}
            onChange={(value) => onChange({ threads: value === 'auto' ? value : Number(value) })}
          />
        </div>
      </div>
      {isOwn && <PicturesField pictures={pictures} size={shared.resize} />}
    </fieldset>
  );
}
