import { Schedule } from './schedule.ts'

const [n, seed] = [Number(process.argv[2] ?? 100), Number(process.argv[3] ?? 1)]
const t = Date.now()
let calls = 0
let bad = 0
for (let s = seed; s < seed + n; s++) {
  const p = await new Schedule(s, process.argv[5] === 'told').play()
  calls += p.calls
  if (p.wrong) {
    bad++
    if (bad <= Number(process.argv[4] ?? 1)) console.log([`Seed ${s}`, ...p.story, p.wrong].join('\n'))
    else console.log(`Seed ${s}: ${p.wrong.slice(0, 300)}`)
  }
}
console.log(n, 'schedules', calls, 'calls', bad, 'bad', Date.now() - t, 'ms')
