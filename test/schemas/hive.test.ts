import { expect, test } from 'vitest'
import { escapePartition, partitionFolder, partitionOfFolder, unescapePartition } from '../../schemas/hive.ts'

test.each([
  ["Cote d'Ivoire", 'Cote d%27Ivoire'],
  ['Antigua and Barbuda', 'Antigua and Barbuda'],
  ['a/b=c:d%e', 'a%2Fb%3Dc%3Ad%25e'],
  ['"#*?\\', '%22%23%2A%3F%5C'],
  ['{[]^}', '%7B%5B%5D%5E}'],
  ['\u0001\t\n\u001f\u007f', '%01%09%0A%1F%7F'],
  ['a&b+c,d;e!$@~()<>|-_.', 'a&b+c,d;e!$@~()<>|-_.'],
  ['Côte 北京', 'Côte 北京'],
])('writes %j as Spark does, and reads it back', (value, escaped) => {
  expect(escapePartition(value)).toBe(escaped)
  expect(unescapePartition(escaped)).toBe(value)
})

test('writes null and the empty text as the default partition, which is read back as null', () => {
  expect(escapePartition(null)).toBe('__HIVE_DEFAULT_PARTITION__')
  expect(escapePartition('')).toBe('__HIVE_DEFAULT_PARTITION__')
  expect(unescapePartition('__HIVE_DEFAULT_PARTITION__')).toBeNull()
})

test('keeps a % that escapes nothing', () => {
  expect(unescapePartition('100%')).toBe('100%')
  expect(unescapePartition('%zz%4')).toBe('%zz%4')
})

test('names the folder of a value, and the value of a folder as the catalog holds it', () => {
  expect(partitionFolder('COUNTRY', "Cote d'Ivoire")).toBe('COUNTRY=Cote d%27Ivoire')
  expect(partitionOfFolder('COUNTRY=Cote d%27Ivoire')).toBe("Cote d'Ivoire")
  expect(partitionOfFolder('COUNTRY=a%3Db')).toBe('a=b')
  expect(partitionOfFolder(partitionFolder('COUNTRY', null))).toBe('__HIVE_DEFAULT_PARTITION__')
  expect(partitionOfFolder('COUNTRY')).toBeNull()
})
