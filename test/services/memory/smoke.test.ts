import { expect, it } from 'vitest'
import { zipOf } from '../unzip/zips.ts'
import { csv } from './engine.ts'
import { World } from './world.ts'

it('takes a zip and a CSV to rows that can be queried', async () => {
  const world = new World()
  world.land('landing/sales/a.zip', await zipOf({ 'x.csv': csv('Chad,1', "Cote d'Ivoire,2"), 'note.txt': 'no' }))
  world.land('data/sales/b.csv', csv('Chad,3', 'Peru,4', 'Peru,5', 'Peru,6', 'BAD,7'))
  await world.untilQuiet()
  expect(world.errors).toEqual([])
  expect(world.rows()).toEqual(['Chad,1', 'Chad,3', "Cote d'Ivoire,2", 'Peru,4', 'Peru,5', 'Peru,6'])
  expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'delivered', 'extracted'])
})
