import { describe, expect, test } from 'vitest'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { readMapping } from '#schema/mapping.ts'
import { cityNames, mappingFile, mappingOf, vocabulary } from './cities.ts'

/** The faults of a city's real mapping after a change to its text. */
function faultsAfter(city: string, change: (text: string) => string): readonly Fault[] {
  const { file, text } = mappingFile(city)
  const changed = change(text)
  expect(changed, 'the change has to hit').not.toBe(text)
  try {
    readMapping({ file, text: changed }, vocabulary)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

/** Applies a change to the parsed form, for what is clumsy to hit in the text. */
// biome-ignore lint/suspicious/noExplicitAny: the tests break the form on purpose
const edited = (change: (form: any) => void) => (text: string) => {
  const form = JSON.parse(text)
  change(form)
  return JSON.stringify(form)
}

describe('a mapping', () => {
  test.each(['jiangyin', 'huizhou'])('of %s is whole', city => {
    expect(mappingOf(city).tables.size).toBeGreaterThan(3)
    expect([...mappingOf(city).families]).toEqual(['licence', 'penalty', 'list', 'rating'])
  })

  test.each(cityNames)('of %s is read without a fault: every name exists, every code list is total both ways', city => {
    const { city: id, tables, families } = mappingOf(city)
    expect(id).toBe(city)
    expect(tables.size).toBeGreaterThan(3)
    for (const family of families) expect(vocabulary.families.has(family)).toBe(true)
  })

  test('of Huizhou says that it is assumed, that of Jiangyin says it of the tables that are', () => {
    expect(mappingOf('huizhou').assumed).toBe(true)
    expect(mappingOf('jiangyin').assumed).toBe(false)
    expect(mappingOf('jiangyin').tables.get('YW_L_XZCF')?.assumed).toBe(true)
  })

  test('never selects a column that holds a person', () => {
    const personal = /FDDBR|FZRXM|SFZ|ZJHM|ZJLX|FRDB|CREATE_USER|legal_repre|card_no|CF010009/
    for (const city of cityNames) {
      for (const table of mappingOf(city).tables.values()) {
        for (const column of table.columns) expect(column).not.toMatch(personal)
      }
    }
  })

  test('selects only what it reads', () => {
    expect(mappingOf('jiangyin').tables.get('YW_L_SGSXZXK')?.columns).not.toContain('TGRQ')
  })

  test('labels every column it shows', () => {
    for (const city of cityNames) {
      for (const table of mappingOf(city).tables.values()) {
        for (const column of table.columns) expect(table.labels[column]).toMatch(/\p{Script=Han}/u)
      }
    }
  })
})

describe('a mapping with a fault is refused', () => {
  test.each<[string, string, (text: string) => string, RegExp, RegExp]>([
    [
      'a shared code without a word',
      'jiangyin',
      edited(form => form.codes['penalty-kinds'].write.pop()),
      /no word for the shared code 14/,
      /^codes.penalty-kinds.write$/,
    ],
    [
      'a code that the vocabulary does not have',
      'jiangyin',
      text => text.replace('"environment-yrd.green"', '"environment-yrd.mauve"'),
      /no code environment-yrd.mauve/,
      /^codes.levels-environment.read\[0\]$/,
    ],
    [
      'a level of another scheme',
      'jiangyin',
      text => text.replace('"environment-yrd.green"', '"environment-national.green"'),
      /no code environment-national.green/,
      /^codes.levels-environment/,
    ],
    [
      'a word with two meanings',
      'huizhou',
      edited(form => form.codes['list-types'].read[1].words.push('A级纳税人')),
      /A级纳税人 has two meanings/,
      /^codes.list-types.read/,
    ],
    [
      'two meanings of a word whose dates overlap',
      'huizhou',
      text => text.replace('"validTo": "2026-03-31"', '"validTo": "2026-04-01"'),
      /two meanings on one day/,
      /^codes.rating-schemes.read/,
    ],
    [
      'a word that decides, and means something else on other days',
      'quzhou',
      edited(form => {
        form.codes.open.read[1].validTo = '2017-09-11'
      }),
      /nothing says which date counts/,
      /^tables.CF01.level.codes$/,
    ],
    [
      'an untranslatable word without a reason',
      'huizhou',
      edited(form => delete form.codes['list-types'].read.at(-1).reason),
      /a reason/,
      /^codes.list-types.read/,
    ],
    [
      'a field that is neither mapped nor declared absent',
      'jiangyin',
      edited(form => delete form.tables.YW_L_XZCF.fields.fine),
      /field fine .* is not mapped/,
      /^tables.YW_L_XZCF.fields$/,
    ],
    [
      'a column that nothing reads',
      'jiangyin',
      edited(form => delete form.tables.YW_L_XZCF.fields.fine),
      /nothing reads the column/,
      /^tables.YW_L_XZCF.columns.FKJE$/,
    ],
    [
      'a column that is read though it is to be ignored',
      'jiangyin',
      edited(form => {
        form.tables.YW_L_XZCF.fields.remark = { column: 'FDDBRSFZH' }
      }),
      /the column is read/,
      /^tables.YW_L_XZCF.ignored.FDDBRSFZH$/,
    ],
    [
      'a field of the family that does not exist',
      'jiangyin',
      edited(form => {
        form.tables.YW_L_XZCF.fields.representative = { column: 'BZ' }
      }),
      /no field representative/,
      /^tables.YW_L_XZCF.fields.representative$/,
    ],
    [
      'an amount without a unit',
      'huizhou',
      edited(form => delete form.tables.SGS_XZCF.fields.fine.unit),
      /an amount has a unit/,
      /^tables.SGS_XZCF.fields.fine$/,
    ],
    [
      'a spelling of what is no text',
      'ningbo',
      edited(form => {
        form.tables.xzcf_slhl.fields.fine.spelling = 'lower-case'
      }),
      /only a text has a spelling/,
      /^tables.xzcf_slhl.fields.fine.spelling$/,
    ],
    [
      'a spelling that does not exist',
      'quzhou',
      text => text.replace('"twelve-digits"', '"ten-digits"'),
      /twelve-digits/,
      /^tables.CF01.fields.division.spelling$/,
    ],
    [
      'a scheme without its levels',
      'huizhou',
      edited(form => delete form.tables.XY_PJ.fields.level.codes.lists['huizhou-importers']),
      /no list for scheme huizhou-importers/,
      /lists$/,
    ],
    [
      'the levels of one scheme for another',
      'huizhou',
      edited(form => {
        form.tables.XY_PJ.fields.level.codes.lists['labour-2017'] = 'levels-tax'
      }),
      /levels of tax-2025, not of labour-2017/,
      /labour-2017/,
    ],
    [
      'dated words and no date to choose by',
      'huizhou',
      edited(form => delete form.tables.XY_PJ.fields.scheme.asOf),
      /nothing says which date counts/,
      /^tables.XY_PJ.fields.scheme/,
    ],
    [
      'a list of words that nothing uses',
      'huizhou',
      edited(form => {
        form.codes.spare = form.codes.grades
      }),
      /no table uses the list/,
      /^codes.spare$/,
    ],
    [
      'a table about persons',
      'jiangyin',
      edited(form => {
        form.tables.SSZJ_PJDJ.person = { constant: 'person', reason: 'x' }
      }),
      /about persons is not mapped/,
      /^tables.SSZJ_PJDJ.person/,
    ],
    [
      'a family that no table shows',
      'huizhou',
      edited(form => {
        form.tables.XY_PJ.shows = false
      }),
      /no table takes every foreign record of the family rating/,
      /^tables$/,
    ],
    [
      'a name that could end a query',
      'huizhou',
      edited(form => {
        form.tables.XY_PJ.table = 'XY"; drop table x; --'
      }),
      /not the name of a table/,
      /^tables.XY_PJ.table$/,
    ],
    [
      'a misspelt member',
      'huizhou',
      text => text.replace('"maxAge"', '"maxage"'),
      /maxage/,
      /^tables.SGS_XZXK.freshness/,
    ],
    [
      'a scheme that a year nobody listed would choose',
      'ningbo',
      edited(form => {
        form.tables.nsdj.state = [{ constant: 'normal', reason: '表无状态列' }]
      }),
      /an unlisted text of evalua_year would choose/,
      /^tables.nsdj.where\[0\].notIn$/,
    ],
    [
      'a condition that says two things',
      'huizhou',
      edited(form => {
        form.tables.XY_PJ.where = [{ column: 'BH', in: ['1'], empty: false }]
      }),
      /one of "in", "notIn" and "empty"/,
      /^tables.XY_PJ.where\[0\]$/,
    ],
  ])('for %s', (_, city, change, problem, path) => {
    const faults = faultsAfter(city, change)
    expect(faults.map(fault => `${fault.path}: ${fault.problem}`).join('\n')).toMatch(problem)
    expect(
      faults.some(fault => path.test(fault.path) && problem.test(fault.problem)),
      JSON.stringify(faults),
    ).toBe(true)
    expect(faults.every(({ file, remedy }) => file === `${city}.json` && remedy !== '')).toBe(true)
  })

  test('with all its faults at once', () => {
    const faults = faultsAfter(
      'jiangyin',
      edited(form => {
        form.codes['penalty-kinds'].write.pop()
        delete form.tables.YW_L_SGSXZXK.absent.decided
        form.tables.YW_L_FRHYPD.state[0].codes = 'use-scope'
        form.unshown = {}
      }),
    )
    expect(faults.length).toBeGreaterThanOrEqual(4)
  })
})
