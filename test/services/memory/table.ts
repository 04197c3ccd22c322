import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { DynamoTable, type Item } from '../../../services/ledger/table.ts'
import { MemoryDynamo } from './dynamo.ts'

/** The ledger's table, the real one, over a DynamoDB in memory. */
export class MemoryTable extends DynamoTable {
  readonly dynamo: MemoryDynamo

  constructor(dynamo = new MemoryDynamo(), client: DynamoDBDocumentClient = dynamo.client) {
    super(client, 'ledger')
    this.dynamo = dynamo
  }

  /** All there is, past any wrapping. */
  get items(): Map<string, Item> {
    return this.dynamo.items
  }
}
