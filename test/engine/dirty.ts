import { parseContract } from '../../schemas/contract.ts'

/** A generator of its own, so that a seed gives the same bytes everywhere. */
export function random(seed: number) {
  let state = (seed * 2654435761) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    pick: <T>(items: readonly T[]) => items[below(items.length)] as T,
    chance: (share: number) => next() < share,
  }
}
type Random = ReturnType<typeof random>

const COLUMNS = {
  KEY: 'string',
  TEXT: 'string',
  N: 'int',
  BIG: 'bigint',
  MONEY: 'decimal(10,2)',
  WIDE: 'decimal(38,10)',
  DAY: 'date',
  AT: 'timestamp',
  REAL: 'double',
  FLAG: 'boolean',
} as const

/** Contracts that differ in what the engines treat apart: the dialect, lines, formats, leniency, and the type of the partition. */
export const contracts = [
  { source: { delimiter: ',', quote: '"' }, day: ['M/d/yyyy'], at: undefined, lenient: false, partitionBy: 'KEY' },
  {
    source: { delimiter: ';', quote: "'" },
    day: ['dd.MM.yyyy', 'yyyy-MM-dd'],
    at: ['M/d/yyyy H:mm', "yyyy-MM-dd'T'HH:mm:ss.SSS"],
    lenient: true,
    partitionBy: 'DAY',
  },
  {
    source: { delimiter: '\t', quote: '"' },
    day: undefined,
    at: ['yyyy-MM-dd HH:mm:ss.SSSSSS', 'yyyy-MM-dd HH:mm:ss'],
    lenient: true,
    partitionBy: 'N',
  },
  {
    source: { delimiter: '|', quote: '^' },
    day: ['d/M/yyyy', 'M/d/yyyy'],
    at: undefined,
    lenient: false,
    partitionBy: 'TEXT',
  },
  {
    source: { delimiter: ',', quote: '"', multiline: true },
    day: ['M/d/yyyy'],
    at: undefined,
    lenient: false,
    partitionBy: 'TEXT',
  },
  {
    source: { delimiter: '\t', quote: "'", multiline: true },
    day: ['M/d/yyyy', 'yyyy-MM-dd'],
    at: undefined,
    lenient: true,
    partitionBy: 'KEY',
  },
  {
    source: { delimiter: ',', quote: '"' },
    day: ['M/d/yyyy', 'yyyy-MM-dd'],
    at: undefined,
    lenient: true,
    partitionBy: 'KEY',
    rules: {
      KEY: { oneOf: ['a', 'b', "Côte d'Ivoire", 'a/b', '😀', 'x=y'] },
      N: { min: 1, max: 1000 },
      BIG: { max: '9223372036854775806' },
      MONEY: { min: 0, max: 12345678.98 },
      WIDE: { max: '9999999999999999999999999999.9999999998' },
      DAY: { min: '1582-10-11', max: '2016-02-29' },
      AT: { min: '0001-01-01 00:00:01', max: '2015-01-02 03:04:05.5' },
      REAL: { min: -1, max: 1e30 },
    } as Record<string, object>,
  },
  {
    source: { delimiter: ',', quote: "'", encoding: 'utf-16be' },
    day: ['M/d/yyyy'],
    at: undefined,
    lenient: false,
    partitionBy: 'TEXT',
    rules: {
      N: { thousands: ',' },
      BIG: { thousands: ' ' },
      MONEY: { decimal: ',', thousands: '.' },
      WIDE: { decimal: ',' },
      REAL: { decimal: ',', thousands: "'", max: 1000 },
    } as Record<string, object>,
  },
  {
    source: { delimiter: ';', quote: '"', multiline: true, encoding: 'latin-1' },
    day: ['M/d/yyyy'],
    at: undefined,
    lenient: true,
    partitionBy: 'KEY',
    // Most rows have the first value of each list.
    rules: { DAY: { unique: true }, MONEY: { unique: true, max: 100 }, KEY: { required: true } } as Record<
      string,
      object
    >,
  },
  // Delimiters and quotes that values are written with.
  {
    source: { delimiter: ' ', quote: '-' },
    day: ['yyyy-MM-dd', 'M/d/yyyy'],
    at: ['yyyy-MM-dd HH:mm:ss', "yyyy-MM-dd'T'HH:mm:ss"],
    lenient: true,
    partitionBy: 'N',
  },
  {
    source: { delimiter: '.', quote: '/' },
    day: ['M/d/yyyy', 'yyyyMMdd'],
    at: undefined,
    lenient: true,
    partitionBy: 'DAY',
    rules: { KEY: { oneOf: ['a', 'a/b', '.', '/', 'x=y'] }, REAL: { decimal: ',' } } as Record<string, object>,
  },
  {
    source: { delimiter: '\\', quote: '|' },
    day: ['M/d/yyyy'],
    at: ['yyyyMMddHHmmssSSS', 'yyyy-MM-dd HH:mm:ss'],
    lenient: false,
    partitionBy: 'TEXT',
    rules: { BIG: { unique: true }, TEXT: { unique: true } } as Record<string, object>,
  },
].map(({ source, day, at, lenient, partitionBy, rules = {} as Record<string, object> }, i) =>
  parseContract({
    dataset: `dirty_${i}`,
    source,
    columns: Object.entries(COLUMNS).map(([name, type]) => ({
      source: name.toLowerCase(),
      name,
      type,
      required: name === 'N' && i === 0,
      ...(name === 'DAY' && day ? { formats: day } : {}),
      ...(name === 'AT' && at ? { formats: at } : {}),
      ...rules[name],
    })),
    partitionBy,
    table: { database: 'd', name: 't' },
    ...(lenient ? { unknownColumns: 'ignore', missingColumns: 'null' } : {}),
  }),
)

const VALUES: Record<keyof typeof COLUMNS, readonly string[]> = {
  KEY: [
    'a',
    'b',
    "Côte d'Ivoire",
    'a/b',
    '100%',
    'x=y',
    '北京',
    '',
    '__HIVE_DEFAULT_PARTITION__',
    '\u0001',
    '😀',
    '\uffee',
    'Ω',
    '.',
    '~',
  ],
  TEXT: [
    'x',
    '  x ',
    '\u00a0y\u00a0',
    'null',
    '\\N',
    '\\',
    'a\\"b',
    '\u2003z',
    '\u0000',
    'a\u0000b',
    '\ufeffq',
    'é',
    'é',
    '\u001c',
    '\u0085',
    "it's",
    '\ufffd',
  ],
  N: [
    '1',
    '-1',
    '+5',
    '007',
    '2147483647',
    '2147483648',
    '-2147483648',
    '-2147483649',
    '1.0',
    '1e3',
    '1_0',
    '0x10',
    '１',
    '',
    '-0',
    '--1',
    '00000000000000000000001',
    '1,000',
    '10,00',
    '٣',
  ],
  BIG: [
    '1',
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '-9223372036854775809',
    '+0',
    '1L',
    '1 000',
    '-12 345 678',
    '99999999999999999999999999999999999999999',
  ],
  MONEY: [
    '1.23',
    '1.5',
    '5',
    '.5',
    '5.',
    '-0.00',
    '+1.10',
    '1.230',
    '1.239',
    '12345678.99',
    '123456789.00',
    '99999999.995',
    '0000012345678.9900',
    '1e2',
    '1,5',
    '.',
    '-',
    '1.2.3',
    '$1',
    '00.1',
    '-.5',
    '- 1',
    '1.234,5',
    '1.234',
    '12.34',
    '1234,50',
    ',5',
  ],
  WIDE: [
    '1.0123456789',
    '9999999999999999999999999999.9999999999',
    '10000000000000000000000000000',
    '0.00000000001',
    '-0.0000000001',
    '1.01234567890000000000000000000000000',
    '12345678901234567890.5',
    '1,0123456789',
  ],
  DAY: [
    '2/29/2016',
    '2/29/2015',
    '2/29/1900',
    '2/29/2000',
    '13/1/2015',
    '1/13/2015',
    '01/02/2015',
    '1/2/15',
    '1/2/2015 00:00',
    '2015-02-28',
    '2015-02-29',
    '2015-2-8',
    '31.12.1999',
    '1.1.1999',
    '29.02.2016',
    '12/31/9999',
    '1/1/0001',
    '1/1/0000',
    '0001-01-01',
    '1582-10-10',
    '1500-03-01',
    '+1/2/2015',
    '1/2/12015',
    '1//2015',
    '0/1/2015',
    '2015/01/02',
    '１/2/2015',
  ],
  AT: [
    '2015-01-02 03:04:05',
    '2015-01-02T03:04:05',
    '2015-01-02 24:00:00',
    '2015-01-02 23:59:60',
    '2015-01-02 23:59:59',
    '2015-02-29 00:00:00',
    '1/2/2015 3:04',
    '01/02/2015 13:04',
    '2015-01-02T03:04:05.678',
    '2015-01-02 03:04:05.000678',
    '2015-01-02 03:04:05.999999',
    '1500-01-01 00:00:00',
    '2015-01-02T03:04:05Z',
    '2015-01-02',
    '9999-12-31 23:59:59',
    '1899-12-31 23:59:59.999999',
    '0001-01-01 00:00:00',
  ],
  REAL: [
    '1.5',
    '0',
    '-0',
    '-0.0',
    '-1e-400',
    '1e3',
    '1E-3',
    '1e400',
    '-1e400',
    '1e-400',
    '4.9e-324',
    '2e-324',
    '1.7976931348623157e308',
    '1.7976931348623159e308',
    'NaN',
    'inf',
    '1d',
    '.5',
    '5.',
    '1.',
    '1e',
    '0x1p3',
    '123456789012345678901234567890',
    '0.1',
    '3.141592653589793238',
    '1e+5',
    '+1',
    '1,5',
    "1'234,5e2",
  ],
  FLAG: ['true', 'false', 'TRUE', 'False', ' true ', 'yes', '1', 't', 'tru', 'ﬁ', 'TRUE\u00a0'],
}
const BLANKS = [' ', '\t', '\u00a0', '\v', '\f'] as const
const NOISE = [
  '"',
  "'",
  ',',
  ';',
  '|',
  '^',
  ' ',
  '\u00a0',
  '\t',
  '\\',
  '\u0000',
  'é',
  '\v',
  '\f',
  '\ufeff',
  '\u2028',
  '""',
  '^^',
] as const

const LINE_BREAKS = ['\n', '\r\n', '\r', '\n\n', '\n\r'] as const

/** One dirty file: mostly rows with one or two odd values, some lines of noise, odd line ends, now and then an odd header. */
export function dirtyFile(seed: number, contract: (typeof contracts)[number]): Buffer {
  const dice = random(seed)
  const { delimiter, quote, multiline, encoding } = contract.source
  const names = contract.columns.map(({ name }) => name as keyof typeof COLUMNS)
  const order = dice.chance(0.3) ? shuffled(names, dice) : names
  const kept = dice.chance(0.2) && contract.missingColumns === 'null' ? order.slice(0, 1 + dice.below(9)) : order
  const extra = dice.chance(0.2) && contract.unknownColumns === 'ignore' ? ['other'] : []
  const columns = [...kept, ...extra]
  const header = columns.map((name) => written(name.toLowerCase(), delimiter, quote, dice, 0.1)).join(delimiter)
  const end = () => dice.pick(endings)
  const endings = dice.pick([['\n'], ['\r\n'], ['\n', '\r\n', '\r'], ['\r']] as const)
  const pieces: (string | Buffer)[] = []
  if (dice.chance(0.15)) pieces.push('\ufeff')
  if (dice.chance(0.1)) pieces.push(dice.pick(['\n', ' \n', '\r\n', '\t\n']))
  pieces.push(dice.chance(0.03) ? header.slice(1) : header, end())
  const wild = dice.chance(0.3) ? 0.5 : 0.04
  for (let left = dice.below(60); left > 0; left--) {
    const row = columns
      .map((name) => {
        const values = VALUES[name as keyof typeof COLUMNS] ?? VALUES.TEXT
        const value = dice.chance(wild) ? dice.pick(values) : (values[0] ?? '')
        const text = dice.chance(0.02) ? '' : value
        const breaks = name === 'KEY' || name === 'TEXT' ? 0.3 : wild / 5
        return written(multiline ? broken(text, dice, breaks) : text, delimiter, quote, dice, wild / 3)
      })
      .join(delimiter)
    const oddity = dice.below(40)
    if (oddity === 0) pieces.push(row.slice(0, dice.below(row.length)))
    else if (oddity === 1) pieces.push(row, delimiter)
    else if (oddity === 2) pieces.push(noise(dice))
    else if (oddity === 3)
      pieces.push(
        row,
        Buffer.from([dice.pick([0xff, 0xc3, 0xe9, 0xed, 0xf0, 0x80, 0xc0]), dice.pick([0x2c, 0xa0, 0x80, 0x41])]),
      )
    else if (oddity === 4) pieces.push(dice.pick(['', ' ', '\u00a0\t', '\t', delimiter, `${quote}${quote}`]))
    else if (oddity === 5) pieces.push(header)
    else if (oddity === 6) pieces.push(row.replace(delimiter, noise(dice)))
    else if (oddity === 7 && multiline) pieces.push(row.replace(delimiter, `${delimiter}${quote}`))
    else if (oddity === 8 && multiline) pieces.push(row.replace(quote, dice.pick(LINE_BREAKS)))
    else pieces.push(row)
    pieces.push(end())
  }
  if (dice.chance(0.3)) pieces.pop()
  const bytes = Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
  // What is no UTF-8 becomes half a character.
  return encoding === 'utf-16be'
    ? Buffer.from(bytes.toString().replaceAll('\ufffd', '\ud800'), 'utf16le').swap16()
    : bytes
}

/** Some megabytes of records of several lines, in columns Key and N: long ones, odd ones, and some about as long as the limit. */
export function longRecords(seed: number): Buffer {
  const dice = random(seed)
  const long = () => dice.pick(['x\n', 'y\r\n', 'z\r', 'long', '""']).repeat(dice.below(900))
  const rows = Array.from({ length: 3000 }, () => {
    const odd = dice.below(200)
    if (odd === 0) return `a,"${long()}\n`
    if (odd === 1) return `"${`${'l'.repeat(999)}\n`.repeat(950 + dice.below(100))}",1\n`
    return dice.chance(0.5) ? `"${long()}",1\r\n` : `a,${dice.pick(['1', 'x', '"2\n"'])}\n`
  })
  return Buffer.from(`Key,N\n${rows.join('')}`)
}

const noise = (dice: Random) => Array.from({ length: 1 + dice.below(12) }, () => dice.pick(NOISE)).join('')

/** A value with a line break now and then: before it, behind it, or between it and the same again. */
function broken(value: string, dice: Random, odd: number): string {
  if (!dice.chance(odd)) return value
  const lineBreak = dice.pick(LINE_BREAKS)
  return dice.pick([`${lineBreak}${value}`, `${value}${lineBreak}`, `${value}${lineBreak}${value}`])
}

/** A value as a field: with blanks around it now and then, and in quotes where it must be, or might be. */
function written(value: string, delimiter: string, quote: string, dice: Random, odd: number): string {
  const padded = dice.chance(odd) ? `${dice.pick(BLANKS)}${value}${dice.pick(BLANKS)}` : value
  const must = padded.includes(delimiter) || padded.startsWith(quote) || /[\r\n]/.test(padded)
  const doubled = padded.replaceAll(quote, quote + quote)
  return must || dice.chance(0.05) ? `${quote}${doubled}${quote}` : padded
}

function shuffled<T>(items: readonly T[], dice: Random): T[] {
  const left = [...items]
  return items.map(() => left.splice(dice.below(left.length), 1)[0] as T)
}
