import { afterEach, describe, expect, it, vi } from 'vitest';
import { findGpu, loadLibrary } from './gpu.browser.js';

afterEach(() => vi.unstubAllGlobals());

describe('WebGPU in browsers', () => {
  it('is the entry point of the browser', async () => {
    const gpu = { requestAdapter: async () => null };
    vi.stubGlobal('navigator', { gpu });
    expect(await findGpu()).toBe(gpu);
  });

  it('is absent from pages without a secure context, whatever the browser supports', async () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('isSecureContext', false);
    expect(await findGpu()).toEqual({
      reason: 'WebGPU requires a secure context.',
      howToGetIt: 'Serve the page over https, or open it at http://localhost.',
    });
  });

  it('is absent from browsers that do not support it', async () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('isSecureContext', true);
    expect(await findGpu()).toMatchObject({ reason: 'This browser does not support WebGPU.' });
  });

  it('is absent from pages that were bundled without the backend of TensorFlow.js', async () => {
    const stub = () => Promise.reject(new Error('Could not resolve "@tensorflow/tfjs-backend-webgpu".'));
    expect(await loadLibrary(stub)).toEqual({
      reason:
        '@tensorflow/tfjs-backend-webgpu could not be loaded: Could not resolve "@tensorflow/tfjs-backend-webgpu".',
      howToGetIt: 'Install @tensorflow/tfjs-backend-webgpu@4.22.0, and bundle the page again.',
    });
    expect(await loadLibrary(async () => ({}))).toBeUndefined();
  });
});
