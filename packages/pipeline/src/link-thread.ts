import { parentPort, workerData } from 'node:worker_threads';
import { Hub } from './machines/hub.js';
import type { HubCommand } from './machines/messages.js';

// The program of the thread that has the connections of rank 0.
const hub = new Hub(workerData, (event) => parentPort?.postMessage(event));
parentPort?.on('message', (command: HubCommand) => {
  void hub.handle(command).then(() => {
    // Ends this thread, whatever callers are doing.
    if (command.kind === 'close') process.exit();
  });
});
await hub.open();
