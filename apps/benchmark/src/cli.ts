#!/usr/bin/env node
// In the syntax of old Node versions, as a module or a script, and without imports: it must run there to say that they are too old.
// biome-ignore-all lint: see above
var parts = process.versions.node.split('.').map(Number);
if (Number(parts[0]) < 20 || (parts[0] === 20 && Number(parts[1]) < 19)) {
  process.stderr.write('localgrad: Node.js 20.19 or later is required; this is ' + process.versions.node + '.\n');
  process.exitCode = 1;
} else {
  import('./main.js');
}
