import { describe, expect, it } from 'vitest';
import { auxiliaryDepth, selectLayers } from './index.js';

/** `depth×count` of all local modules, in order. */
function depths(layers: number, depth: number): string {
  const localModules = layers - depth - 1;
  const all = Array.from({ length: localModules }, (_, module) => auxiliaryDepth(module, localModules, depth, 0.5));
  return [...new Set(all)].map((one) => `${one}×${all.filter((other) => other === one).length}`).join(' ');
}

describe('auxiliaryDepth', () => {
  it.each([
    [16, '2×13', '3×6 2×6', '4×4 3×6 2×1', '5×3 4×4 3×3', '6×2 5×3 4×4'],
    [55, '2×52', '3×25 2×26', '4×17 3×32 2×1', '5×12 4×25 3×12', '6×10 5×19 4×19'],
    [17, '2×14', '3×6 2×7', '4×4 3×7 2×1', '5×3 4×5 3×3', '6×2 5×4 4×4'],
    [34, '2×31', '3×15 2×15', '4×10 3×18 2×1', '5×7 4×14 3×7', '6×6 5×10 4×11'],
  ])('has the published depths for %i layers (docs/methods/auglocal.md §2)', (layers, ...expected) => {
    expect([2, 3, 4, 5, 6].map((depth) => depths(layers, depth))).toEqual(expected);
  });

  it('is constant without a pyramid, and at least 1', () => {
    expect([0, 5, 9].map((module) => auxiliaryDepth(module, 10, 4, 0))).toEqual([4, 4, 4]);
    expect(auxiliaryDepth(9, 10, 1, 1)).toBe(1);
    expect(auxiliaryDepth(0, 1, 3, 0.5)).toBe(3);
  });
});

describe('selectLayers', () => {
  const selections = (layers: number, depth: number) => {
    const localModules = layers - depth - 1;
    return Array.from({ length: localModules }, (_, layer) =>
      selectLayers(layer, layers, auxiliaryDepth(layer, localModules, depth, 0.5)).join(','),
    );
  };

  it('selects the published layers of ResNet-32 (docs/methods/auglocal.md §2)', () => {
    const two = ['8,15', '8,15', '8,15', '9,15', '10,15', '10,15', '10,15', '11,15', '12,15', '12,15', '12,15'];
    expect(selections(16, 2)).toEqual([...two, '13,15', '14,15']);
    const three = ['5,10,15', '6,10,15', '6,11,15', '7,11,15', '8,11,15', '8,12,15', '10,15', '11,15'];
    expect(selections(16, 3)).toEqual([...three, '12,15', '12,15', '12,15', '13,15']);
  });

  it('selects the published layers of ResNet-110', () => {
    const all = selections(55, 6);
    expect([0, 8, 24, 47].map((layer) => all[layer])).toEqual([
      '9,18,27,36,45,54',
      '16,23,31,39,46,54',
      '30,36,42,48,54',
      '49,50,52,54',
    ]);
  });

  it('selects the published layers of ResNet-34 at depth 4, at most those that are left', () => {
    expect(Array.from({ length: 16 }, (_, layer) => selectLayers(layer, 17, 4).join(','))).toEqual([
      '4,8,12,16',
      '5,8,12,16',
      '6,9,12,16',
      '6,10,13,16',
      '7,10,13,16',
      '8,10,13,16',
      '8,11,14,16',
      '9,12,14,16',
      '10,12,14,16',
      '11,12,14,16',
      '12,13,14,16',
      '12,14,15,16',
      '13,14,15,16',
      '14,15,16',
      '15,16',
      '16',
    ]);
  });
});
