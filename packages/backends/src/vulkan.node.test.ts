import { afterEach, describe, expect, it, vi } from 'vitest';
import { isVulkanMissing } from './vulkan.node.js';
import { webgpu } from './webgpu.js';

function loaderSays(message: string): void {
  vi.spyOn(process, 'dlopen').mockImplementation(() => {
    throw new Error(message);
  });
}

describe.runIf(process.platform === 'linux')('the Vulkan loader', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it.each([
    ['libvulkan.so.1: cannot open shared object file: No such file or directory', true],
    ['Error loading shared library libvulkan.so.1: No such file or directory', true],
    ["Module did not self-register: 'libvulkan.so.1'.", false],
  ])('%s: missing %s', (message, isMissing) => {
    loaderSays(message);
    expect(isVulkanMissing()).toBe(isMissing);
  });

  it('is reported without loading Dawn, which would print a warning, where it is missing', async () => {
    vi.stubGlobal('navigator', undefined);
    loaderSays('libvulkan.so.1: cannot open shared object file: No such file or directory');
    expect(await webgpu.probe()).toMatchObject({
      available: false,
      reason: 'The Vulkan loader, libvulkan.so.1, was not found.',
      howToGetIt: expect.stringContaining('libvulkan1'),
    });
    expect(globalThis.navigator?.gpu).toBeUndefined();
  });
});
