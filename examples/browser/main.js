const log = document.querySelector('#log');
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => log.append(`${data}\n`);
worker.onerror = ({ message }) => log.append(`Error: ${message}\n`);

// http://localhost:5173/?threads=1&backend=wasm&folder=/wasm
worker.postMessage(Object.fromEntries(new URLSearchParams(location.search)));
