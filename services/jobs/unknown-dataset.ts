import type { Contract } from '../../schemas/contract.ts'

/** Words for a key whose folder names no dataset that has a contract. */
export function unknownDataset(key: string, dataset: string | undefined, contracts: Map<string, Contract>): string {
  const known = [...contracts.keys()].join(', ')
  const found = dataset ? `no contract names the dataset "${dataset}"` : 'its key names no dataset'
  const zone = key.split('/')[0]
  return `${key} cannot be read: ${found} (known: ${known}). Land it as ${zone}/<dataset>/<file>, or add schemas/datasets/${dataset ?? '<dataset>'}.json.`
}
