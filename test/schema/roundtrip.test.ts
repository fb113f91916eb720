import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Value, WireRecord } from '#protocol/message.ts'
import { dayWriter } from '#schema/date.ts'
import { columnsOf, MappingForm, type Rule, type TableForm } from '#schema/format.ts'
import type { SharedRecord } from '#schema/record.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import type { FieldType } from '#schema/vocabulary.ts'
import { mappingFile, mappingOf, vocabulary } from './cities.ts'

const cities = ['jiangyin', 'huizhou'] as const
type CityName = (typeof cities)[number]
const mappings = { jiangyin: mappingOf('jiangyin'), huizhou: mappingOf('huizhou') }
const forms = {
  jiangyin: MappingForm.parse(JSON.parse(mappingFile('jiangyin').text)),
  huizhou: MappingForm.parse(JSON.parse(mappingFile('huizhou').text)),
}

/** Texts as they really stand in a column: words of its lists and unlisted ones, dates in every form, amounts, prose. */
function columnTexts(rule: Rule, type: FieldType, form: MappingForm): fc.Arbitrary<string | null> {
  const noise = fc.constantFrom(null, '', '暂无', '\\N', ' ')
  const prose = fc.string({ unit: 'grapheme', maxLength: 40 })
  const named = typeof rule.codes === 'string' ? [rule.codes] : Object.values(rule.codes?.lists ?? {})
  const words = named.flatMap(name => form.codes[name]?.read.flatMap(entry => entry.words) ?? [])
  const word = words.length > 0 ? fc.constantFrom(...words, '不在表内') : prose
  const { formats, none, indefinite } = form.dates
  const days = fc
    .date({ min: new Date('1990-01-01'), max: new Date('2060-12-31'), noInvalidDate: true })
    .map(date => date.toISOString().slice(0, 10))
  const dates = fc
    .tuple(days, fc.constantFrom(...formats))
    .map(([day, format]) => dayWriter({ formats: [format], none: [], indefinite: [] })(day) ?? day)
  const byType: Record<FieldType, fc.Arbitrary<string | null>> = {
    text: prose,
    date: fc.oneof(dates, fc.constantFrom(...none, ...indefinite, '不详')),
    money: fc.oneof(
      fc.tuple(fc.nat(10 ** 9), fc.nat(999_999)).map(([whole, part]) => `${whole}.${part}`),
      fc.constantFrom('0', '5万', '1,234.50'),
    ),
    decimal: fc.nat(100_000).map(hundredths => String(hundredths / 100)),
    code: word,
    codes: fc.array(word, { minLength: 1, maxLength: 4 }).map(several => several.join(rule.split?.at(-1) ?? ' ')),
  }
  return fc.oneof({ weight: 6, arbitrary: byType[type] }, { weight: 1, arbitrary: noise })
}

function rowsOf(table: TableForm, form: MappingForm): fc.Arbitrary<Record<string, string | null>> {
  const columns: Record<string, fc.Arbitrary<string | null>> = {}
  for (const [name, rule] of Object.entries(table.fields)) {
    const type = vocabulary.families.get(table.family)?.fields.get(name)?.type ?? 'text'
    for (const column of columnsOf(rule)) columns[column] = columnTexts(rule, type, form)
  }
  return fc.record(columns)
}

/** What makes a row one about an enterprise, so that it is read at all. */
const enterprise = { SUBJECT_TYPE: '0', XK_XDR_LB: '企业', CF_XDR_LB: '企业', XDR_LB: '企业' }

function read(city: CityName, table: string, row: Record<string, string | null>): SharedRecord {
  const [record] = toShared([{ table, subject: '91320281XXXXXX0197', row: { ...row, ...enterprise } }], mappings[city])
  if (record === undefined) throw new Error('no record')
  return record
}

/** A value apart from the exact wording it was made from, of which separators are no part. */
function meaning(value: Value | undefined) {
  if (typeof value !== 'object' || !('original' in value)) return value
  return 'code' in value ? value.code : { codes: value.codes.toSorted(), ambiguous: value.ambiguous }
}

const tables = cities.flatMap(city => Object.keys(forms[city].tables).map(table => [city, table] as const))
const tableForm = (city: CityName, table: string) => {
  const form = forms[city].tables[table]
  if (form === undefined) throw new Error(table)
  return form
}

describe('local to shared', () => {
  test.each(tables)('of %s %s always fits the wire, and keeps every unlisted word as it stands', (city, table) => {
    const form = tableForm(city, table)
    fc.assert(
      fc.property(rowsOf(form, forms[city]), row => {
        const { id, family, fields } = read(city, table, row)
        expect(WireRecord.safeParse({ id, family, fields }).error).toBeUndefined()
        for (const [name, rule] of Object.entries(form.fields)) {
          if (rule.codes === undefined) continue
          const texts = columnsOf(rule).map(column => row[column]?.trim() ?? '')
          if (texts.some(text => text.includes('不在表内'))) {
            const value = fields[name]
            expect(typeof value === 'object' && 'untranslated' in value && value.untranslated).toContain('不在表内')
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('local to shared to local', () => {
  test.each(tables)('of %s %s keeps every mapped value, and names every other', (city, table) => {
    const form = tableForm(city, table)
    fc.assert(
      fc.property(rowsOf(form, forms[city]), row => {
        const { id, family, fields } = read(city, table, row)
        const local = toLocal({ id, family, fields }, mappings[city])
        const untold = new Set(local.untranslated.map(({ field }) => field))
        const again = local.table === undefined ? {} : read(city, local.table, { ...local.columns }).fields
        for (const [name, value] of Object.entries(fields)) {
          const unmapped = typeof value === 'object' && 'untranslated' in value
          if (local.table === table) expect(untold.has(name), `${name} ${JSON.stringify(value)}`).toBe(unmapped)
          if (!untold.has(name)) expect(meaning(again[name]), name).toEqual(meaning(value))
        }
        for (const column of Object.keys(local.columns)) expect(local.labels[column]).toBeDefined()
      }),
      { numRuns: 300 },
    )
  })
})

describe('from one city to the other', () => {
  test.each(tables)(
    'a record of %s %s is never given a code that it did not have, unless our word is said to differ',
    (city, table) => {
      const other = city === 'jiangyin' ? 'huizhou' : 'jiangyin'
      fc.assert(
        fc.property(rowsOf(tableForm(city, table), forms[city]), row => {
          const { id, family, fields } = read(city, table, row)
          const local = toLocal({ id, family, fields }, mappings[other])
          const told = new Set([...local.untranslated.map(({ field }) => field)])
          const target = local.table === undefined ? undefined : forms[other].tables[local.table]
          const there = local.table === undefined ? {} : read(other, local.table, { ...local.columns }).fields
          for (const [name, value] of Object.entries(fields)) {
            const rule = target?.fields[name]
            const columns = rule === undefined ? [] : columnsOf(rule)
            const relations = columns.flatMap(column => local.meanings[column]?.relation ?? [])
            if (told.has(name)) continue
            if (relations.every(relation => relation === 'exact'))
              expect(meaning(there[name]), name).toEqual(meaning(value))
          }
          for (const name of ['scheme', 'level', 'type']) {
            const [before, after] = [fields[name], there[name]]
            if (typeof after === 'object' && 'code' in after && target?.fields[name]?.constant === undefined) {
              expect(meaning(before), name).toBe(after.code)
            }
          }
        }),
        { numRuns: 300 },
      )
    },
  )
})
