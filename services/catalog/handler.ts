import { CrawlEnded } from '../../events/crawl-ended.ts'
import { DeliveryChanged } from '../../events/delivery-changed.ts'
import { contracts, glue, ledger, objects, sleep } from '../lambda/clients.ts'
import { CatalogEnv, readEnv } from '../lambda/env.ts'
import { logger, on, stage, step } from '../lambda/stage.ts'
import { noteMends } from '../ledger/sweeps.ts'
import { write } from '../metrics/write.ts'
import { type CatalogDeps, changed, crawlEnded, deliveryChanged, wake } from './catalog.ts'
import { deletedByOthers } from './deleted.ts'
import { endRerun } from './end-rerun.ts'

const wired = (): CatalogDeps => {
  const env = readEnv(CatalogEnv)
  return {
    ledger: ledger(env.LEDGER_TABLE),
    objects: objects(),
    glue: glue(),
    contracts: contracts(),
    crawlers: env.CRAWLERS,
    deliveryBucket: env.DELIVERY_BUCKET,
    sleep,
  }
}

/** By dataset: when the newest change was made that the messages of this batch tell of; undefined where one was replayed. */
const changes = new Map<string, Date | undefined>()

function note(dataset: string, at: Date | undefined) {
  const before = changes.get(dataset)
  const isNewer = before === undefined ? !changes.has(dataset) : at === undefined || at > before
  if (isNewer) changes.set(dataset, at)
}

export const handler = stage(
  [
    on(DeliveryChanged, async (event, { replay }) => {
      const deps = wired()
      const missing = replay ? undefined : await deletedByOthers(deps, event)
      if (missing) {
        logger.error(missing.did, { ...missing })
        write([{ dimensions: { dataset: missing.dataset }, values: { BalanceFailures: [1] } }])
        await noteMends(deps.ledger, [missing])
      }
      const dataset = await deliveryChanged(deps, event, replay)
      if (dataset !== undefined) note(dataset, replay ? undefined : new Date(event.time))
      return dataset
    }),
    on(CrawlEnded, async ({ detail }) => {
      const deps = wired()
      const [dataset] = Object.entries(deps.crawlers).find(([, crawler]) => crawler === detail.crawlerName) ?? []
      if (!dataset) return undefined
      await step('compare', () => crawlEnded(deps, dataset), { dataset })
      await endRerun(deps, dataset)
      await wake(deps, dataset)
      return undefined
    }),
  ],
  async (dataset) => {
    const deps = wired()
    const at = changes.get(dataset)
    changes.delete(dataset)
    // Once for all changes of this batch of messages. Where all was crawled already, it settles the last runs itself.
    if ((await changed(deps, dataset, at)) === 'settled') await endRerun(deps, dataset)
  },
)
