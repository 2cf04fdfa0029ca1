import { selectBackend } from '@localgrad/backends';
import { describe, expect, it } from 'vitest';

const isNative = process.env.LOCALGRAD_TEST_BACKEND === 'tensorflow';
/** A setting in the environment of the tests remains in force. */
const setting = process.env.TF_ENABLE_ONEDNN_OPTS;

describe.runIf(isNative && process.platform !== 'darwin')('native TensorFlow', () => {
  it('uses oneDNN on every processor, unless the environment says otherwise', async () => {
    const { facts, dispose } = await selectBackend('tensorflow');
    dispose();
    expect(facts.oneDnn).toBe(setting !== '0');
  });
});
