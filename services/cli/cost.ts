import type { Cost } from '../cost/estimate.ts'
import { NOT_COUNTED, READ_ON } from '../cost/prices.ts'
import { table } from './format.ts'

/** To a hundredth of a cent, below that to the digits that say something. */
export const usd = (amount: number): string =>
  `$${amount >= 0.0001 || amount === 0 ? amount.toFixed(4) : Number(amount.toPrecision(2)).toFixed(8).replace(/0+$/, '')}`

export const costTable = ({ usd: all, parts }: Cost): string =>
  table([
    ['cost', 'USD', ''],
    ...parts.map(({ part, usd: each, how }) => [part, usd(each).slice(1), how]),
    ...(parts.length > 1 ? [['in all', usd(all).slice(1), '']] : []),
  ])

const prices = `at list prices as read on ${READ_ON}, without regional differences`
const left = `Not counted: ${NOT_COUNTED.join('; ')}.`

/** How far the figures can be trusted. */
export const COST_AT = {
  aws: `An estimate, ${prices} (services/cost/prices.ts). ${left}`,
  laptop: `On a laptop it cost nothing: an estimate of what it would cost on AWS if it took as long there, ${prices} (services/cost/prices.ts). ${left}`,
} as const
