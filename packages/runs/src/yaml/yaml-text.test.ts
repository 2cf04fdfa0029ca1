import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { yamlText } from './yaml-text.js';

const config = {
  weightDecay: 5e-7,
  learningRate: -1e21,
  plain: 0.1,
  count: 3,
  exact: 1.5e-9,
  list: [1e-7, 2],
  nested: { tiny: 3e-10 },
  text: '5e-7',
  method: 'dgl: 5e-7',
};
const python = spawnSync('python3', ['-c', 'import yaml']).status === 0;
if (!python) console.warn('SKIPPED: PyYAML does not read our YAML, as python3 with PyYAML is not installed.');

describe('yamlText', () => {
  it('writes exponents with a decimal point and leaves text alone', () => {
    const text = yamlText(config);
    expect(text).toContain('weightDecay: 5.0e-7\n');
    expect(text).toContain('learningRate: -1.0e+21\n');
    expect(text).toContain('  - 1.0e-7\n');
    expect(text).toContain('  tiny: 3.0e-10\n');
    expect(parse(text)).toEqual(config);
  });

  it.skipIf(!python)('is read as numbers by PyYAML', () => {
    const program = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))';
    const { stdout } = spawnSync('python3', ['-c', program], { input: yamlText(config), encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(config);
  });
});
