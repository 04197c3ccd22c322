import { join } from 'node:path'
import { projectRoot } from '../../infra/local/paths.ts'
import { type Contract, loadContracts } from '../../schemas/contract.ts'
import { WrongUsage } from './exit.ts'

/** The contracts of this clone, by dataset. */
export const contractsHere = (): Map<string, Contract> => loadContracts(join(projectRoot, 'schemas', 'datasets'))

/** @throws WrongUsage naming the datasets that there are */
export function contractHere(dataset: string): Contract {
  const contracts = contractsHere()
  const contract = contracts.get(dataset)
  if (contract) return contract
  throw new WrongUsage(
    `No contract names the dataset "${dataset}" (known: ${[...contracts.keys()].join(', ')}). Add schemas/datasets/${dataset}.json, or name another with --dataset.`,
  )
}
