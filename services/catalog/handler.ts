import { CrawlEnded } from '../../events/crawl-ended.ts'
import { DeliveryChanged } from '../../events/delivery-changed.ts'
import { contracts, glue, ledger, objects, sleep } from '../lambda/clients.ts'
import { CatalogEnv, readEnv } from '../lambda/env.ts'
import { logger, on, stage, step } from '../lambda/stage.ts'
import { markDirty } from '../ledger/catalog-state.ts'
import { noteMends } from '../ledger/sweeps.ts'
import { write } from '../metrics/write.ts'
import { type CatalogDeps, crawlEnded, deliveryChanged, wake } from './catalog.ts'
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
      return await deliveryChanged(deps, event, replay)
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
    // Once for all changes of this batch of messages, and before the crawler is started.
    await markDirty(deps.ledger, dataset)
    // Where all was crawled already, it settles the last runs itself.
    if ((await wake(deps, dataset)) === 'settled') await endRerun(deps, dataset)
  },
)
