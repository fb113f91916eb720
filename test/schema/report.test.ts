/** The translation report: what it says is what the translation does, nothing of a mapping is missing from it, and its text leaves no loss out. */
import { describe, expect, test } from 'vitest'
import { MappingForm } from '#schema/format.ts'
import { readMapping } from '#schema/mapping.ts'
import { reportMapping, type TranslationReport } from '#schema/report.ts'
import { toLocal, toShared } from '#schema/translate.ts'
import { describeReport, summariseReport } from '../../src/describe-report.ts'
import { shownReport, xingwanMapping } from '../xingwan.ts'
import { cityNames, mappingFile, mappingOf, vocabulary } from './cities.ts'

const forms = new Map(cityNames.map(city => [city, MappingForm.parse(JSON.parse(mappingFile(city).text))]))
const subject = '91320281250344877K'

function formOf(city: string): MappingForm {
  const form = forms.get(city)
  if (form === undefined) throw new RangeError(city)
  return form
}

const reportOf = (city: string): TranslationReport => reportMapping(formOf(city), vocabulary)

function fieldOf(city: string, family: string, field: string) {
  const found = reportOf(city)
    .families.find(each => each.family === family)
    ?.fields.find(each => each.field === field)
  if (found === undefined) throw new RangeError(`${family}.${field}`)
  return found
}

describe.each(cityNames)('the report of %s', city => {
  const report = reportOf(city)
  const form = formOf(city)

  test('has every field of every family once', () => {
    expect(report.families.map(({ family, fields }) => [family, fields.map(({ field }) => field)])).toEqual(
      [...vocabulary.families.values()].map(({ code, fields }) => [code, [...fields.keys()]]),
    )
  })

  test('calls a field dropped where nothing fills it, and gives the reason of each table', () => {
    for (const { family, tables, fields } of report.families) {
      for (const { field, outcome, from, absent } of fields) {
        expect(outcome === 'dropped', `${family}.${field}`).toBe(from.length === 0)
        expect([...from.map(({ table }) => table), ...absent.map(({ table }) => table)].sort()).toEqual(
          [...tables].sort(),
        )
      }
    }
  })

  test('calls a field lossy with the reason in both languages, and covered only where there is none', () => {
    for (const { fields } of report.families) {
      for (const { outcome, losses, absent } of fields) {
        if (outcome === 'covered') expect([losses, absent]).toEqual([[], []])
        if (outcome === 'lossy') expect(losses.length + absent.length).toBeGreaterThan(0)
        for (const { zh, en } of losses)
          expect([zh, en]).toEqual([expect.stringMatching(/\p{sc=Han}/u), expect.stringMatching(/[a-z]{3}/)])
      }
    }
  })

  test('has every column: it fills a field, decides something, or is left for a reason', () => {
    for (const { table, columns, dropped } of report.tables) {
      const shape = form.tables[table]
      const all = [...columns.map(({ column }) => column), ...dropped.map(({ column }) => column)]
      expect(new Set(all)).toEqual(
        new Set([...Object.keys(shape?.columns ?? {}), ...Object.keys(shape?.ignored ?? {})]),
      )
      for (const { column, fields, decides } of columns)
        expect(fields.length + decides.length, column).toBeGreaterThan(0)
      for (const { reason } of dropped) expect(reason).not.toBe('')
    }
  })

  test('has every word of every code list, and every shared code that is written with one', () => {
    for (const { list, set, within, out, in: back, usedBy } of report.codes) {
      expect(usedBy.length).toBeGreaterThan(0)
      expect(out.flatMap(({ words }) => words)).toEqual(form.codes[list]?.read.flatMap(({ words }) => words))
      const codes = [...(vocabulary.sets.get(set)?.keys() ?? [])].filter(
        code => !within || code.startsWith(`${within}.`),
      )
      expect(back === null ? codes : back.map(({ code }) => code)).toEqual(codes)
    }
  })

  test('says of a word what the translation makes of it', () => {
    const mapping = mappingOf(city)
    for (const { list, out } of report.codes) {
      for (const [table, name, column] of plainUses(form, list)) {
        for (const { words, outcome, codes, validFrom, validTo } of out) {
          if (validFrom !== null || validTo !== null) continue
          for (const word of words) {
            const [record] = toShared([{ table, subject, row: { [column]: word } }], mapping)
            const value = record?.fields[name]
            const found = codes.map(({ code }) => code)
            const expected = {
              exact: { code: found[0], original: word },
              narrower: { code: found[0], original: word },
              several: { codes: found, original: word },
              ambiguous: { ambiguous: true, codes: found, original: word },
              untranslated: { untranslated: word },
            }[outcome]
            const many = vocabulary.families.get(record?.family ?? '')?.fields.get(name)?.type === 'codes'
            expect(value, `${table}.${column} ${word}`).toEqual(
              many && 'code' in expected ? { codes: found, original: word } : expected,
            )
          }
        }
      }
    }
  })

  test('says of a shared code which word of ours it becomes', () => {
    const mapping = mappingOf(city)
    for (const { list, in: back } of report.codes) {
      for (const [table, name, column] of plainUses(form, list)) {
        const shape = form.tables[table]
        if (shape?.shows !== true) continue
        const many = vocabulary.families.get(shape.family)?.fields.get(name)?.type === 'codes'
        for (const { code, word, validFrom, validTo } of back ?? []) {
          if (validFrom !== null || validTo !== null) continue
          const value = many ? { codes: [code], original: '外市用语' } : { code, original: '外市用语' }
          const local = toLocal({ id: 'x', family: shape.family, fields: { [name]: value } }, mapping)
          if (local.table === table) expect(local.columns[column], `${list} ${code}`).toBe(word)
        }
      }
    }
  })

  test('counts in its summary what it lists', () => {
    const outcomes = report.families.flatMap(({ tables, fields }) =>
      tables.length === 0 ? [] : fields.map(({ outcome }) => outcome),
    )
    const { fields, columns, words } = report.summary
    expect(fields.covered + fields.lossy + fields.dropped).toBe(outcomes.length)
    expect(fields.dropped).toBe(outcomes.filter(each => each === 'dropped').length)
    expect(columns.dropped).toBe(report.tables.flatMap(({ dropped }) => dropped).length)
    expect(words.exact + words.lossy + words.untranslated).toBe(
      report.codes.flatMap(({ out }) => out.flatMap(each => each.words)).length,
    )
  })

  test('is the same each time, and survives JSON', () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(reportOf(city))
  })

  test('as text names every field, every word that is lost and every column left, with its reason', () => {
    const text = describeReport(report)
    for (const { fields, unshown } of report.families) {
      if (unshown !== undefined) expect(text).toContain(unshown)
      for (const { losses, absent } of fields) {
        for (const { zh, en, words } of losses) {
          expect(text).toContain(`${zh} ${en}`)
          for (const { word, means } of words) {
            expect(text).toContain(word)
            for (const each of means) expect(text).toContain(each)
          }
        }
        for (const { reason } of absent) expect(text).toContain(reason)
      }
    }
    for (const { dropped } of report.tables) {
      for (const { column, reason } of dropped) expect(text).toContain(`${column}：${reason}`)
    }
    expect(summariseReport(report, 'call')).toContain('全文 in full: call')
  })
})

/** Where a list stands alone in a field: not chosen by another field, not dated, one column. */
function plainUses(form: MappingForm, list: string): (readonly [table: string, field: string, column: string])[] {
  return Object.entries(form.tables).flatMap(([table, { fields }]) =>
    Object.entries(fields).flatMap(([field, { codes, column, strip, none }]) =>
      codes === list && column !== undefined && !strip && !none ? [[table, field, column] as const] : [],
    ),
  )
}

describe('a loss', () => {
  test('of seven kinds of penalty for fourteen is named by word, with the relation', () => {
    const { outcome, losses } = fieldOf('jimo', 'penalty', 'kinds')
    expect(outcome).toBe('lossy')
    expect(losses).toContainEqual(
      expect.objectContaining({
        direction: 'out',
        words: expect.arrayContaining([
          { word: '没收违法所得、没收非法财物', relation: 'broader', means: ['03 没收违法所得', '09 没收非法财物'] },
        ]),
      }),
    )
  })

  test('that several tables have alike is said once, for all of them', () => {
    const out = fieldOf('jimo', 'licence', 'kind').losses.filter(({ words }) => words.length > 0)
    expect(out).toHaveLength(1)
    expect(out[0]?.tables.length).toBeGreaterThan(1)
  })

  test('of a table for one list alone is none: nothing else comes there', () => {
    const constant = fieldOf('ningbo', 'list', 'type')
    expect(constant.from.every(({ constant }) => constant !== undefined)).toBe(true)
    expect(constant.losses).toEqual([])
  })

  test('of a required field is told in the summary', () => {
    expect(summariseReport(reportOf('jiangyin'), '')).toContain('licence.decided')
  })

  test('of dates without end is told where the city has no word for them', () => {
    const text = xingwanMapping({ dates: { indefinite: [] } })
    const report = reportMapping(MappingForm.parse(JSON.parse(text)), vocabulary)
    const decided = report.families
      .find(({ family }) => family === 'licence')
      ?.fields.find(({ field }) => field === 'validUntil')
    expect(decided?.losses).toMatchObject([{ direction: 'in', tables: ['permit'] }])
  })
})

describe('a word that changed its meaning', () => {
  const form = MappingForm.parse(JSON.parse(xingwanMapping()))
  const mapping = readMapping({ file: 'xingwan.json', text: xingwanMapping() }, vocabulary)
  const code = reportMapping(form, vocabulary)
    .codes.find(({ list }) => list === 'sorts')
    ?.in?.find(({ code }) => code === '07')

  test('is reported with the days on which it is written, and is written on those', () => {
    expect(code).toMatchObject({ word: '其他', validFrom: '2021-07-15', validTo: null })
    const shown = (decided: string) => {
      const fields = { kinds: { codes: ['07'], original: '外市用语' }, decided }
      return toLocal({ id: 'x', family: 'penalty', fields }, mapping).columns['sorts']
    }
    expect([shown('2021-07-14'), shown('2021-07-15')]).toEqual([undefined, '其他'])
  })
})

describe('docs/mapping.md', () => {
  test('shows what the report says', () => {
    const text = xingwanMapping()
    readMapping({ file: 'xingwan.json', text }, vocabulary)
    const report = describeReport(reportMapping(MappingForm.parse(JSON.parse(text)), vocabulary))
    for (const part of shownReport.split('…\n')) expect(report).toContain(part.trimEnd())
  })
})

describe('a word that no list has', () => {
  test('is said to travel as it stands, or to keep its record here and make its family unknown', () => {
    const others = new Map(reportOf('ningbo').codes.map(list => [list.list, list.others]))
    expect(others.get('years-2025')).toBe('unknown')
    expect(others.get('party-types')).toBe('unknown')
    expect(others.get('levels-tax')).toBe('untranslated')
    expect(describeReport(reportOf('ningbo'))).toContain(
      '其他词 any other word → —   不猜，该记录不提供，该类别为未知 not guessed, its record is not given and its family is unknown',
    )
  })

  test('in a state keeps the row here, as the report says, whatever the city', () => {
    for (const city of cityNames) {
      for (const [name, table] of Object.entries(formOf(city).tables)) {
        for (const fact of table.state) {
          if ('constant' in fact) continue
          const found = toShared([{ table: name, subject, row: { [fact.column]: '没有这个词' } }], mappingOf(city))
          expect(found[0]?.state, `${city} ${name}`).toBe('undetermined')
        }
      }
    }
  })

  test('as a share level, or none where a word has to stand, keeps the row here as one that nobody can judge', () => {
    for (const city of cityNames) {
      for (const [name, { level }] of Object.entries(formOf(city).tables)) {
        if ('constant' in level) continue
        for (const word of ['没有这个词', '', ' ', null]) {
          const found = toShared([{ table: name, subject, row: { [level.column]: word } }], mappingOf(city))
          expect(found[0]?.level, `${city} ${name} ${word}`).toBe('undetermined')
        }
      }
    }
  })
})
