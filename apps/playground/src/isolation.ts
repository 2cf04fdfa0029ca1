const tried = 'localgrad-isolation';

/**
 * Makes the page cross-origin isolated on hosts that cannot send the headers, so that it has threads: installs a service worker
 * that adds them, and reloads the page once per tab. Does nothing in a frame, whose isolation depends on the page around it.
 */
export async function isolate(): Promise<void> {
  if (crossOriginIsolated || window.top !== window || !('serviceWorker' in navigator)) return;
  if (sessionStorage.getItem(tried) !== null) return;
  sessionStorage.setItem(tried, 'true');
  await navigator.serviceWorker.register('./isolation-worker.js');
  await navigator.serviceWorker.ready;
  location.reload();
}
