import { z } from 'zod'
import { END_STATES } from '../services/ledger/run.ts'

/**
 * A run came to its end: for whoever builds on the table or watches it. An event of our own that no stage hears; it is not
 * archived, so no replay has it. Told at least once in all but a crash between the ledger's word and this: the ledger has all.
 */
export const RunEnded = {
  pattern: ({ dataset, states }: { dataset?: string; states?: readonly (typeof END_STATES)[number][] } = {}) => ({
    source: ['landfall'],
    'detail-type': ['landfall.run'],
    ...((dataset || states) && {
      detail: { ...(dataset && { dataset: [dataset] }), ...(states && { state: [...states] }) },
    }),
  }),
  schema: z.object({
    source: z.literal('landfall'),
    'detail-type': z.literal('landfall.run'),
    detail: z.object({
      dataset: z.string(),
      sourceId: z.string(),
      runId: z.string(),
      kind: z.enum(['zip', 'csv']),
      /** In the raw zone, with the version of the object. */
      key: z.string(),
      versionId: z.string(),
      /** `live`, or the name of the replay or rerun that caused it. */
      cause: z.string(),
      state: z.enum(END_STATES),
      /** Of a run that was refused, failed or superseded. `landfall show <runId>` has the words. */
      problem: z.string().optional(),
      /** Run of another source that had landed the same bytes before: a warning. */
      sameAs: z.string().optional(),
      rowsIn: z.int().optional(),
      accepted: z.int().optional(),
      rejected: z.int().optional(),
      /** Partitions that its rows are in. */
      partitions: z.int().optional(),
      registeredAt: z.iso.datetime(),
      endedAt: z.iso.datetime(),
    }),
  }),
  sample: () => ({
    version: '0',
    id: '8f0a4b6e-2c7d-4e55-9a43-6f1d0c2b7e19',
    'detail-type': 'landfall.run',
    source: 'landfall',
    account: '111122223333',
    time: '2026-11-24T10:00:09Z',
    region: 'eu-central-1',
    resources: [],
    detail: {
      dataset: 'sales',
      sourceId: '5000_Sales_Records-1f3a9c04d2',
      runId: '6b1e0f5f3c7a4d21',
      kind: 'csv',
      key: 'data/sales/5000 Sales Records~3d0c7a11/5000_Sales_Records.csv',
      versionId: '3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY',
      cause: 'live',
      state: 'delivered',
      rowsIn: 5000,
      accepted: 4998,
      rejected: 2,
      partitions: 185,
      registeredAt: '2026-11-24T10:00:02.113Z',
      endedAt: '2026-11-24T10:00:08.907Z',
    },
  }),
} as const
