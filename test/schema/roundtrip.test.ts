import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Value, WireRecord } from '#protocol/message.ts'
import { dayWriter } from '#schema/date.ts'
import { columnsOf, MappingForm, type Rule, type TableForm } from '#schema/format.ts'
import type { SharedRecord } from '#schema/record.ts'
import { shareSpelling } from '#schema/spelling.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import type { FieldType } from '#schema/vocabulary.ts'
import { cityNames, mappingFile, mappingOf, vocabulary } from './cities.ts'

const cities = cityNames.map(name => ({
  name,
  mapping: mappingOf(name),
  form: MappingForm.parse(JSON.parse(mappingFile(name).text)),
}))
type City = (typeof cities)[number]

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

/** What makes a row one about an enterprise, so that it is read at all: a word of its list that is no person's. */
function enterprise({ person }: TableForm, form: MappingForm): Record<string, string> {
  if ('constant' in person) return {}
  const entry = form.codes[person.codes]?.read.find(({ codes }) => codes.length > 0 && !codes.includes('person'))
  return { [person.column]: entry?.words[0] ?? '' }
}

function read(city: City, table: string, row: Record<string, string | null>): SharedRecord {
  const about = enterprise(tableForm(city, table), city.form)
  const [record] = toShared([{ table, subject: '91320281XXXXXX0197', row: { ...row, ...about } }], city.mapping)
  if (record === undefined) throw new Error('no record')
  return record
}

/** A value apart from the exact wording it was made from, of which separators are no part. */
function meaning(value: Value | undefined) {
  if (typeof value !== 'object' || !('original' in value)) return value
  return 'code' in value ? value.code : { codes: value.codes.toSorted(), ambiguous: value.ambiguous }
}

const tables = cities.flatMap(city => Object.keys(city.form.tables).map(table => [city.name, table, city] as const))
const pairs = tables.flatMap(([name, table, city]) =>
  cities.filter(other => other !== city).map(other => [name, table, other.name, city, other] as const),
)

function tableForm(city: City, table: string): TableForm {
  const form = city.form.tables[table]
  if (form === undefined) throw new Error(table)
  return form
}

describe('local to shared', () => {
  test.each(tables)('of %s %s always fits the wire, and keeps every unlisted word as it stands', (_, table, city) => {
    const form = tableForm(city, table)
    fc.assert(
      fc.property(rowsOf(form, city.form), row => {
        const { id, family, fields } = read(city, table, row)
        expect(WireRecord.safeParse({ id, family, fields }).error).toBeUndefined()
        for (const [name, rule] of Object.entries(form.fields)) {
          if (rule.codes === undefined) continue
          const stated = columnsOf(rule)
            .map(column => row[column]?.trim() ?? '')
            .filter(text => text !== '' && !city.form.none.includes(text))
          const texts = rule.take === 'first' ? stated.slice(0, 1) : stated
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
  test.each(tables)('of %s %s keeps every mapped value, and names every other', (_, table, city) => {
    const form = tableForm(city, table)
    fc.assert(
      fc.property(rowsOf(form, city.form), row => {
        const { id, family, fields } = read(city, table, row)
        const local = toLocal({ id, family, fields }, city.mapping)
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

/** A text of ours may be their word for "nothing"; a code in their spelling comes back in the shared one. */
function meansNothing(value: Value, rule: Rule | undefined, { form }: City): boolean {
  return typeof value === 'string' && [...form.none, ...(rule?.none ?? [])].includes(value)
}

function spelt(value: Value, rule: Rule | undefined): Value {
  return typeof value === 'string' && rule?.spelling !== undefined ? shareSpelling(value, rule.spelling) : value
}

/** Whether what came out says more than what went in: a code that was not among the possible ones, or one made certain. */
function invents(before: Value | undefined, after: Value | undefined): boolean {
  const [possible, said] = [codesOf(before), codesOf(after)]
  return !said.every(code => possible.includes(code)) || (said.length === 1 && possible.length > 1)
}

function codesOf(value: Value | undefined): readonly string[] {
  if (typeof value !== 'object') return []
  if ('code' in value) return [value.code]
  return 'codes' in value ? value.codes : []
}

describe('from one city to another', () => {
  test.each(pairs)(
    'a record of %s %s in the words of %s is never given a code that it did not have, unless our word is said to differ',
    (_, table, __, city, other) => {
      fc.assert(
        fc.property(rowsOf(tableForm(city, table), city.form), row => {
          const { id, family, fields } = read(city, table, row)
          const local = toLocal({ id, family, fields }, other.mapping)
          const told = new Set(local.untranslated.map(({ field }) => field))
          const target = local.table === undefined ? undefined : other.form.tables[local.table]
          const there = local.table === undefined ? {} : read(other, local.table, { ...local.columns }).fields
          for (const [name, value] of Object.entries(fields)) {
            const rule = target?.fields[name]
            const columns = rule === undefined ? [] : columnsOf(rule)
            const relations = columns.flatMap(column => local.meanings[column]?.relation ?? [])
            if (told.has(name) || meansNothing(value, rule, other)) continue
            if (relations.every(relation => relation === 'exact'))
              expect(meaning(there[name]), name).toEqual(meaning(spelt(value, rule)))
          }
          for (const name of ['scheme', 'level', 'type']) {
            if (target?.fields[name]?.constant !== undefined) continue
            expect(invents(fields[name], there[name]), name).toBe(false)
          }
        }),
        { numRuns: 40 },
      )
    },
  )

  test.each(pairs)(
    'and back: a record of %s %s by way of %s comes home with no level, scheme or list that it did not have',
    (_, table, __, city, other) => {
      fc.assert(
        fc.property(rowsOf(tableForm(city, table), city.form), row => {
          const out = read(city, table, row)
          const abroad = toLocal({ id: out.id, family: out.family, fields: out.fields }, other.mapping)
          if (abroad.table === undefined) return
          const there = read(other, abroad.table, { ...abroad.columns })
          const home = toLocal({ id: there.id, family: there.family, fields: there.fields }, city.mapping)
          if (home.table === undefined) return
          const back = read(city, home.table, { ...home.columns })
          for (const name of ['scheme', 'level']) {
            const stated = city.form.tables[home.table]?.fields[name]?.constant !== undefined
            if (!stated) expect(invents(out.fields[name], back.fields[name]), name).toBe(false)
          }
          if (out.list !== undefined && back.list !== undefined)
            expect(severe(back.list) && !severe(out.list)).toBe(false)
        }),
        { numRuns: 40 },
      )
    },
  )
})

function severe(list: string): boolean {
  return vocabulary.lists.get(list)?.severe ?? false
}
