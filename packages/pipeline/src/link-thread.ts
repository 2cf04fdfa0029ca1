import { parentPort, workerData } from 'node:worker_threads';
import { Hub } from './machines/hub.js';
import type { HubCommand } from './machines/messages.js';

// The program of the thread that has the connections of rank 0.
const hub = new Hub(workerData, (event) => parentPort?.postMessage(event));
parentPort?.on('message', (command: HubCommand) => {
  void hub.handle(command).then(() => {
    if (command.kind === 'close') parentPort?.close();
  });
});
await hub.open();
