import { gzipSync } from 'node:zlib'

/** One input that is not as the contract of `sales` has it, or looks as if it were not. */
export interface BadInput {
  /** What is odd about it, in the words of the table. */
  what: string
  /** Where it lands. @default `data/sales/<number>.csv` */
  key?: string
  body: Buffer | string
}

export const HEADER =
  'Region,Country,Item Type,Sales Channel,Order Priority,Order Date,Order ID,Ship Date,Units Sold,Unit Price,Unit Cost,Total Revenue,Total Cost,Total Profit'
export const row = (id: number, over: Record<number, string> = {}) => {
  const fields =
    `Europe,Norway,Baby Food,Online,L,5/28/2010,${id},6/2/2010,10,255.28,159.42,2552.80,1594.20,958.60`.split(',')
  for (const [at, value] of Object.entries(over)) fields[Number(at)] = value
  return fields.join(',')
}
const [ORDER_DATE, UNIT_PRICE, TOTAL_REVENUE] = [5, 9, 11]
const rows = (count: number) => Array.from({ length: count }, (_, i) => row(100000000 + i))
const file = (lines: string[], end = '\n') => lines.map((line) => line + end).join('')
const GOOD = [HEADER, ...rows(9)]
const withLine = (line: string) => file([HEADER, ...rows(5), line, ...rows(4)])
const swapped = (line: string) => {
  const fields = line.split(',')
  return [...fields.slice(7), ...fields.slice(0, 7)].join(',')
}
const without = (at: number) => (line: string) => line.split(',').toSpliced(at, 1).join(',')

export const BAD_INPUTS: BadInput[] = [
  { what: 'nothing odd', body: file(GOOD) },
  { what: 'delimiter `;`', body: file(GOOD.map((line) => line.replaceAll(',', ';'))) },
  { what: 'delimiter tab', body: file(GOOD.map((line) => line.replaceAll(',', '\t'))) },
  { what: 'delimiter `|`', body: file(GOOD.map((line) => line.replaceAll(',', '|'))) },
  { what: 'a byte order mark', body: `\ufeff${file(GOOD)}` },
  { what: 'UTF-16, little endian', body: Buffer.from(`\ufeff${file(GOOD)}`, 'utf16le') },
  { what: 'UTF-16, big endian', body: Buffer.from(`\ufeff${file(GOOD)}`, 'utf16le').swap16() },
  {
    what: 'Latin-1: a country with é',
    body: Buffer.from(file([HEADER, ...rows(9), row(1, { 1: 'Réunion' })]), 'latin1'),
  },
  {
    what: 'Latin-1 in the header',
    body: Buffer.from(file([HEADER.replace('Region', 'Région'), ...rows(2)]), 'latin1'),
  },
  { what: 'line ends CRLF', body: file(GOOD, '\r\n') },
  { what: 'line ends CR', body: file(GOOD, '\r') },
  {
    what: 'line ends of three kinds',
    body: GOOD.map((line, i) => line + (['\n', '\r\n', '\r'][i % 3] ?? '')).join(''),
  },
  { what: 'no last line end', body: file(GOOD).trimEnd() },
  { what: 'blank lines', body: file([HEADER, '', ...rows(2), '   ', ...rows(2), '', '']) },
  { what: 'a quote never closed', body: withLine(row(1, { 2: '"Baby Food' })) },
  { what: 'text behind a closing quote', body: withLine(row(1, { 2: '"Baby" Food' })) },
  { what: 'a line break in quotes', body: withLine(row(1, { 2: '"Baby\nFood"' })) },
  { what: 'a NUL byte in a text', body: withLine(row(1, { 2: 'Baby\0Food' })) },
  { what: 'a NUL byte in a number', body: withLine(row(1, { 8: '1\0' })) },
  { what: 'a line of two megabytes', body: withLine(row(1, { 2: 'x'.repeat(2_000_000) })) },
  { what: 'columns in another order', body: file(GOOD.map(swapped)) },
  { what: 'a column more', body: file(GOOD.map((line, i) => `${line},${i ? 'x' : 'Comment'}`)) },
  { what: 'a column less', body: file(GOOD.map(without(6))) },
  { what: 'a column twice', body: file(GOOD.map((line, i) => `${line},${i ? '1' : 'Order ID'}`)) },
  { what: 'no header', body: file(rows(9)) },
  { what: 'a second header in the middle', body: withLine(HEADER) },
  { what: 'too few fields', body: withLine(row(1).split(',').slice(0, 9).join(',')) },
  { what: 'too many fields', body: withLine(`${row(1)},x`) },
  {
    what: 'a delimiter at the end of each row, not of the header',
    body: file([HEADER, ...rows(9).map((line) => `${line},`)]),
  },
  { what: 'a delimiter at the end of each line', body: file(GOOD.map((line) => `${line},`)) },
  { what: 'one date as dd/MM', body: withLine(row(1, { [ORDER_DATE]: '28/05/2010' })) },
  {
    what: 'all dates as dd/MM',
    body: file([HEADER, ...rows(9).map((line) => line.replace('5/28/2010', '28/05/2010'))]),
  },
  { what: 'a date that no calendar has', body: withLine(row(1, { [ORDER_DATE]: '2/30/2015' })) },
  { what: 'a date with two digits of the year', body: withLine(row(1, { [ORDER_DATE]: '5/28/10' })) },
  { what: 'a decimal comma', body: withLine(row(1, { [UNIT_PRICE]: '"255,28"' })) },
  { what: 'thousands separators', body: withLine(row(1, { [TOTAL_REVENUE]: '"2,552.80"' })) },
  { what: 'three decimals', body: withLine(row(1, { [UNIT_PRICE]: '255.285' })) },
  { what: 'a number too large', body: withLine(row(1, { [TOTAL_REVENUE]: '123456789.00' })) },
  { what: 'a number with an exponent', body: withLine(row(1, { [UNIT_PRICE]: '2.5e2' })) },
  { what: 'blanks around values', body: withLine(row(1, { 1: ' Norway ', [UNIT_PRICE]: ' 255.28 ' })) },
  { what: 'header and nothing else', body: `${HEADER}\n` },
  { what: 'no byte', body: '' },
  { what: 'blank lines and nothing else', body: '\n \n\n' },
  { what: 'gzip', key: 'data/sales/packed.csv.gz', body: gzipSync(file(GOOD)) },
  { what: 'gzip, cut off', key: 'data/sales/cut.csv.gz', body: gzipSync(file(GOOD)).subarray(0, 200) },
  { what: 'gzip by its bytes, not by its name', key: 'data/sales/unnamed.csv', body: gzipSync(file(GOOD)) },
  { what: 'a text called .csv.gz', key: 'data/sales/plain.csv.gz', body: file(GOOD) },
  { what: 'a key with blanks and a plus sign', key: 'data/sales/a b+c.csv', body: file(GOOD) },
  { what: 'a key with `%`, quotes and `&`', key: `data/sales/100%20'"&.csv`, body: file(GOOD) },
  { what: 'a key that is not ASCII', key: 'data/sales/Umsätze 春.csv', body: file(GOOD) },
  { what: 'a key in folders', key: 'data/sales/2024/05/day.csv', body: file(GOOD) },
  { what: 'the ending .Csv', key: 'data/sales/ending.Csv', body: file(GOOD) },
  { what: 'a dataset that no contract names', key: 'data/orders/day.csv', body: file(GOOD) },
  { what: 'no dataset in the key', key: 'data/day.csv', body: file(GOOD) },
  { what: 'a text file in data/', key: 'data/sales/notes.txt', body: 'Call Bob.\n' },
  { what: 'a zip in data/', key: 'data/sales/wrong-place.zip', body: 'PK' },
  { what: 'a CSV in landing/', key: 'landing/sales/wrong-place.csv', body: file(GOOD) },
  { what: 'a text file in landing/', key: 'landing/sales/notes.txt', body: 'Call Bob.\n' },
  { what: 'no zip, called .ZIP', key: 'landing/sales/fake.ZIP', body: 'Call Bob.\n' },
  {
    what: 'more bad rows than the contract takes',
    body: file([HEADER, ...rows(7), ...[1, 2, 3].map((id) => row(id, { [ORDER_DATE]: 'soon' }))]),
  },
]
