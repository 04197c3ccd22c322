import { type Erase, erase } from '../../../../services/operations/withdraw/erase.ts'
import { findHoldings } from '../../../../services/operations/withdraw/holdings.ts'
import { tellCatalog, untilSettled, type Waiting } from '../../../../services/operations/withdraw/settled.ts'
import { findSources } from '../../../../services/operations/withdraw/sources.ts'
import { placesOf } from '../../../../services/operations/withdraw/summary.ts'
import { type TakeOut, takeOut } from '../../../../services/operations/withdraw/take-out.ts'
import { counter } from '../../memory/clock.ts'
import { landfallOf } from '../../memory/landfall.ts'
import { DELIVERY, PROCESSING, QUARANTINE, RAW, STAGING, World } from '../../memory/world.ts'

const BUCKETS = [RAW, STAGING, PROCESSING, DELIVERY, QUARANTINE]
const ZONES = { processing: PROCESSING, delivery: DELIVERY }

/** All that can go on without time. */
async function goOn(world: World) {
  do {
    await world.pump()
    world.endJobs()
    if (world.glue.crawler === 'RUNNING') world.endCrawl()
  } while (world.messages.length > 0)
}

/** A world, and what a person does who wants a source out of it. */
export function placeOf(world = new World()) {
  const landfall = landfallOf(world)
  let slept = 0
  /** While a person waits, the world goes on, and the sweep comes by. */
  const sleep = async (ms: number) => {
    if (++slept > 1000) throw new Error('Slept a thousand times')
    world.clock.advance(ms)
    await goOn(world)
    await world.sweep()
    await goOn(world)
  }
  const deps = { ...landfall, unique: counter('person'), sleep }
  const find = (text: string) => findSources(landfall, text)
  return {
    world,
    landfall,
    deps,
    find,
    takeOut: async (text: string, watch: TakeOut = {}) => await takeOut(deps, (await find(text)).sources, ZONES, watch),
    /** As the command does it, up to where the catalog knows. */
    withdraw: async (text: string) => {
      const asked = await find(text)
      const taken = await takeOut(deps, asked.sources, ZONES)
      const waited: Waiting[] = []
      const mark = await tellCatalog(world.books, asked.dataset)
      await untilSettled(deps, asked.dataset, asked.sources, mark, { onChange: (waiting) => waited.push(waiting) })
      return { taken, waited }
    },
    erase: async (text: string, watch: Erase = {}) => await erase(landfall, await find(text), watch),
    places: async (text: string) => placesOf(await findHoldings(landfall, await find(text))),
    holdings: async (text: string) => await findHoldings(landfall, await find(text)),
    /** Where a text is, of all versions of all objects and of all items of the ledger. */
    whereIs: (text: string) => [
      ...BUCKETS.flatMap((bucket) =>
        world.objects.versions(bucket).flatMap(({ key, body }) => (body.includes(text) ? `${bucket}/${key}` : [])),
      ),
      ...[...world.table.items.values()].flatMap((item) =>
        JSON.stringify(item).includes(text) ? `ledger ${item.pk} ${item.sk}` : [],
      ),
    ],
  }
}
