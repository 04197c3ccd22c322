// What confirm.test.ts runs on a terminal of its own, and without one.
import { confirm, NotConfirmed } from '../../../services/cli/confirm.ts'
import { EXIT } from '../../../services/cli/exit.ts'
import { listen, signal } from '../../../services/cli/process.ts'
import { print } from '../../../services/cli/screen.ts'

listen()
try {
  const yes = process.argv.includes('--yes')
  await confirm({ touches: 'data/sales/a.csv', question: 'Take out 1 source?', yes })
  print('Taken out.')
} catch (error) {
  print(`${signal.aborted ? 'interrupted' : error instanceof NotConfirmed ? 'not wanted' : error}`)
  process.exitCode = signal.aborted ? EXIT.interrupted : EXIT.refused
}
