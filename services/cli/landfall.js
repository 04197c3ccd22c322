#!/usr/bin/env node
// npx runs this with whatever Node the machine has; the product runs on the one that the project pins.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
// The child cleans up, and this one waits for it. A terminal sends Ctrl-C to both, others only here: a second one is none.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`The project's own Node could not be started (${error.message}). Run npm ci first.`)
  process.exitCode = 3
})
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 130 : 3)
})
