import type { Fault } from './faults.ts'
import { pick, type Random } from './random.ts'

/**
 * What a schedule is about: things that people do more than others, and faults that it has for sure, and more often. What is rare
 * in any schedule becomes common in some of them.
 */
export type Theme = {
  name: string
  /** More of these among what people do. */
  steps: string[]
  /** How many times as often these strike. */
  faults: Partial<Record<Fault, number>>
  /** All that people do is about one file. */
  isOneFile?: boolean
}

const times = (n: number, step: string): string[] => Array(n).fill(step)

const ANYTHING: Theme = { name: 'anything', steps: [], faults: {} }

const THEMES: Theme[] = [
  {
    name: 'zips',
    steps: [...times(5, 'land a zip'), 'land a member by itself', 'replay'],
    faults: { 'a process is killed at a call': 1, 'a zip kills its function': 2 },
    isOneFile: true,
  },
  {
    name: 'withdrawals',
    steps: [
      ...times(4, 'withdraw'),
      ...times(6, 'land by mistake'),
      'land a zip',
      ...times(3, 'replay the zips'),
      'rerun',
    ],
    faults: { "a person's laptop sleeps for minutes": 3, 'an event comes late': 1, 'a process is killed at a call': 1 },
    isOneFile: true,
  },
  {
    name: 'one file',
    steps: [...times(6, 'land'), 'rerun'],
    faults: { 'a process is killed at a call': 1, 'S3 refuses one object for hours': 2 },
    isOneFile: true,
  },
  {
    name: 'contract',
    steps: ['change the contract', 'change the contract', 'rerun', 'rerun', 'replay'],
    faults: { 'a process is killed at a call': 1 },
  },
  {
    name: 'jobs',
    steps: times(4, 'land'),
    faults: {
      'a job takes longer than its lease': 2,
      "a job's end is not heard": 2,
      'a function dies three times before it tells what it published': 1,
      'Glue has one slot, and frees it late': 1,
    },
  },
]

/** Half of the schedules have none. */
export const themeOf = (random: Random): Theme => (random(2) === 0 ? ANYTHING : pick(random, THEMES))
