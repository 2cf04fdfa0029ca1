/**
 * Whether the Vulkan loader is missing. Dawn knows no other driver on Linux, and would print a warning with a stack on
 * stderr. False on other systems.
 */
export function isVulkanMissing(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    // Searches the system's libraries as Dawn does. It always throws, since the loader is no module of Node.
    process.dlopen({ exports: {} }, 'libvulkan.so.1');
    return false;
  } catch (error) {
    return error instanceof Error && /No such file or directory/.test(error.message);
  }
}
