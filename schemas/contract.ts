import { z } from 'zod'
import { checkColumns, checkExpected } from './contract-rules.ts'
import { ExpectedField } from './expected.ts'

const identifier = z.string().regex(/^[a-z][a-z0-9_]*$/, 'a lower-case name: a letter, then letters, digits or _')
const SIMPLE_TYPES = ['string', 'int', 'bigint', 'date', 'timestamp', 'boolean', 'double'] as const

const Source = z.strictObject({
  delimiter: z
    .string()
    .regex(/^[\t -/:-@[-`{-~]$/, 'one ASCII character that is no letter and no digit')
    .default(',')
    .describe('The one character between two fields.'),
  quote: z
    .string()
    .regex(/^[!-/:-@[-`{-~]$/, 'one visible ASCII character that is no letter and no digit')
    .default('"')
    .describe('The character around a field that holds the delimiter; doubled, it stands for itself.'),
  encoding: z
    .enum(['utf-8', 'utf-16', 'utf-16le', 'utf-16be', 'latin-1'])
    .default('utf-8')
    .describe(
      'The encoding of the bytes. utf-16 has a byte order mark, which says the order; utf-16le and utf-16be need none; latin-1 is ISO-8859-1, in which each byte is the character of its number (0x80 is a control character, not a euro sign). A byte order mark is skipped, one of another encoding refuses the file. Bytes that are no character make their line a reject (`invalid_encoding`). Limits count bytes of UTF-8. On Spark the driver copies each source that is not utf-8.',
    ),
  header: z.literal(true).default(true).describe('The first line that is not blank names the columns.'),
  multiline: z
    .boolean()
    .default(false)
    .describe(
      'false: one line is one record, and a quote still open at the end of its line makes the line a reject. true: a field in quotes may hold line breaks; where its record ends depends on the lines before it, so one task or thread alone finds the records of a source. A record has at most 1,000,000 bytes: a quote that is not closed until then makes its line alone a reject.',
    ),
})

const typeNames = `one of ${SIMPLE_TYPES.join(', ')}, decimal(p,s)`

export const ColumnType = z
  .union([z.enum(SIMPLE_TYPES), z.string().regex(/^decimal\([1-9][0-9]?,[0-9]{1,2}\)$/, typeNames)], {
    error: typeNames,
  })
  .describe('The type of the values. `decimal(p,s)` has p digits (at most 38), s of them after the point.')

const Limit = z.union([z.number(), z.string()], { error: 'a number or a text' })

const Column = z.strictObject({
  source: z
    .string()
    .trim()
    .min(1)
    .describe('Name in the header of the file, e.g. `Order Date`. Blanks around it do not count.'),
  name: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a letter or _, then letters, digits or _')
    .describe('Name in the parquet files, e.g. `ORDER_DATE`. The catalog has it in lower case.'),
  type: ColumnType,
  formats: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      "Only for date and timestamp: the patterns a value may have, the first that fits wins. yyyy; M or d: one or two digits, MM or dd: two; HH, H, mm, ss, SSS, SSSSSS; text in '…'. Default: yyyy-MM-dd, and for a timestamp yyyy-MM-dd HH:mm:ss and yyyy-MM-dd'T'HH:mm:ss.",
    ),
  decimal: z.enum(['.', ',']).default('.').describe('Only for decimal and double: the character before the decimals.'),
  thousands: z
    .enum([',', '.', ' ', "'"])
    .optional()
    .describe(
      'Only for int, bigint, decimal and double: the character between groups of three digits before the decimals. A number may be without it, but if it has one, then between all groups.',
    ),
  required: z
    .boolean()
    .default(false)
    .describe('true: a row with a blank here is a reject. false: the blank becomes null.'),
  min: Limit.optional().describe(
    'The least value that is no reject (`below_min`): a number, for a date `yyyy-MM-dd`, for a timestamp `yyyy-MM-dd HH:mm:ss`. Of a bigint or decimal with more than 15 digits the digits as text. Blanks are not judged.',
  ),
  max: Limit.optional().describe('The largest value that is no reject (`above_max`), written as `min` is.'),
  oneOf: z
    .array(Limit)
    .min(1)
    .optional()
    .describe(
      'Only for string, int and bigint: the values that are no rejects (`not_one_of`), as they are without blanks around them. Upper and lower case differ. Blanks are not judged.',
    ),
  unique: z
    .boolean()
    .default(false)
    .describe(
      'true: of the rows of one file that have the same value here, the first stays and each later one is a reject (`not_unique`). Blanks do not count, nor do rows that are rejects by themselves. It costs a sort of all rows on Spark, and on DuckDB the careful way for each.',
    ),
  description: z.string().optional().describe('For people; becomes the comment of the column in the catalog.'),
})

/** (300 s - 30 s - 1,000 members / 50) x 30 MB; `services/unzip/time.ts` has these, and a test that this fits them. */
const MAX_BYTES = 7_500_000_000

const Limits = z.strictObject({
  maxMembers: z.int().min(1).default(1000).describe('Members that a zip may have.'),
  maxBytes: z
    .int()
    .min(1)
    .default(MAX_BYTES)
    .describe(
      'Bytes that a zip, or a .csv.gz, may hold when inflated. The default is what unzip surely extracts from a zip of `maxMembers` members in the time of its function on AWS (5 minutes, of which 30 s are kept for the end), at an assumed 30 MB and 50 members a second. A zip that declares more than it can do in its time is refused (`too_long`), whatever this says; a .csv.gz is inflated by a job, which has `engine.timeoutMinutes`.',
    ),
  maxRatio: z
    .number()
    .min(1)
    .default(200)
    .describe('Inflated bytes of all CSVs of a zip, per byte of the zip, at most.'),
})

const Zip = z.strictObject({
  badMembers: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe(
      'What a zip gets of which a member is bad by itself: encrypted, damaged, of another size than it declares, compressed in an unknown way, or with a name that cannot be a key or is that of another member. refuse: nothing of the zip is taken. skip: the member is left out and named, the others are taken, and what the table has of an earlier version of that member stays. A zip that is wrong as a whole, above a limit or without any good CSV is refused either way.',
    ),
})

/** What one run of a dataset's Glue jobs may use. The defaults are also those of the deployed jobs. */
export const EngineSize = z.strictObject({
  workers: z
    .strictObject({
      type: z
        .enum(['G.1X', 'G.2X', 'G.4X', 'G.8X'])
        .default('G.1X')
        .describe('Type of the workers in Glue: G.1X has 4 vCPU and 16 GB, G.2X, G.4X and G.8X 2, 4 and 8 times that.'),
      most: z
        .int()
        .min(2)
        .default(10)
        .describe('Workers of one run at most, the driver being one. Glue scales below it by itself.'),
    })
    .prefault({})
    .describe('The machines of one run.'),
  timeoutMinutes: z
    .int()
    .min(1)
    .max(10_080)
    .default(60)
    .describe('Glue ends a run that takes longer; its sources are then tried again one by one. At most 7 days.'),
})
export type EngineSize = z.infer<typeof EngineSize>

/** What one dataset is: the only place that knows its columns, its table and its rules. */
export const Contract = z
  .strictObject({
    $schema: z.string().optional().describe('Where editors find the schema of this file: `../contract.schema.json`.'),
    dataset: identifier.describe('Name of the dataset and of its folder in every zone: `data/<dataset>/`.'),
    version: z.int().min(1).default(1).describe('Counts the changes that files published before cannot serve.'),
    description: z.string().optional().describe('For people; becomes the description of the table.'),
    source: Source.prefault({}).describe('How the files are written.'),
    columns: z.array(Column).min(1).describe('The columns in the order of the table.'),
    partitionBy: z.string().describe('Name (not source name) of the column whose values become partitions.'),
    table: z
      .strictObject({
        database: identifier.describe('The Glue database.'),
        name: identifier.describe('The Glue table.'),
      })
      .describe('Where the rows can be queried.'),
    maxRejectShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.2)
      .describe('Rejected rows as a share of all rows, 0 to 1; above it the whole file is refused.'),
    unknownColumns: z
      .enum(['refuse', 'ignore'])
      .default('refuse')
      .describe('What a file gets whose header has a column that is not listed here.'),
    missingColumns: z
      .enum(['refuse', 'null'])
      .default('refuse')
      .describe('What a file gets whose header lacks a column. `null` never applies to a required column.'),
    zip: Zip.prefault({}).describe('How its zips are taken.'),
    sameContent: z
      .enum(['warn', 'refuse', 'allow'])
      .default('warn')
      .describe(
        'What a file gets whose very bytes have landed under another name, if the rows of that are in the table or on their way. `warn`: it is delivered, and its run names the other. `refuse`: refused (`same_content`), also if both are only a header. `allow`: nobody looks. Told by what S3 knows of an object, without reading it: the bytes of a file uploaded in parts of another size, or under a KMS key of the uploader, may go unnoticed.',
      ),
    limits: Limits.prefault({}).describe('Beyond these a file is refused.'),
    engine: EngineSize.prefault({}).describe(
      'What one run of its Glue jobs may use. A laptop has the machine that it is.',
    ),
    expected: ExpectedField,
    fetch: z
      .array(z.url({ protocol: /^https?$/ }))
      .default([])
      .describe('URLs that the fetch stage may read.'),
  })
  .superRefine(checkColumns)
  .superRefine(checkExpected)

export type Contract = z.infer<typeof Contract>
export type ContractColumn = Contract['columns'][number]

export { ContractError, loadContract, loadContracts, parseContract } from './load.ts'
