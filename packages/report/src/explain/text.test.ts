import { explain, runConfigSchema } from '@localgrad/runs';
import { expect, it } from 'vitest';
import { explanationText } from './text.js';

const textOf = async (optimizer: string) => {
  const config = runConfigSchema.parse({ method: 'backprop', backbone: 'tiny', modules: 1, batch: 2, optimizer });
  return explanationText(await explain({ ...config, image: [8, 8, 3], classes: 4 }));
};

it('the text of an explanation shows what each rule of the optimizer applies to', async () => {
  const text = await textOf('adamw(parameters: [(match: fc.*, weightDecay: 0), (match: *.gama, weightDecay: 0)])');
  expect(text).toMatch(
    /\nrule of the optimizer +applies to weights +tensors\n[─-]+.*\nfc\.\* +\d+ +2\n\*\.gama +0 +0\n/,
  );
  expect(text).toContain('\nNo weight has a name that matches *.gama.\n');
  expect(await textOf('adamw')).not.toContain('rule of the optimizer');
});
