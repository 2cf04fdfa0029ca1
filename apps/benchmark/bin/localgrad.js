#!/usr/bin/env node
// The program's file in a clone before the build: npm links a program at installation, and only if its file exists.
// biome-ignore-all lint: in the syntax of old Node versions, which src/cli.ts rejects
import('../dist/cli.js').catch(function (error) {
  if (!/dist[\\/]cli\.js'/.test(String(error.message))) throw error;
  process.stderr.write('localgrad: not built yet. Run `npm run build` in the clone.\n');
  process.exitCode = 1;
});
