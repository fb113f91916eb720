import { describe, expect, test } from 'vitest'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import { RecordDate } from '#protocol/message.ts'
import { recordStates, shareLevels } from '#schema/record.ts'
import { readVocabulary, validOn } from '#schema/vocabulary.ts'
import { vocabulary, vocabularyFiles } from './cities.ts'

/** The faults of the real files after a change to one of them. */
function faultsAfter(file: string, change: (text: string) => string): readonly Fault[] {
  return faultsOf(vocabularyFiles().map(each => (each.file === file ? { file, text: change(each.text) } : each)))
}

function faultsOf(files: readonly ConfigFile[]): readonly Fault[] {
  try {
    readVocabulary(files)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

/** The families with one more, which has one field. */
function addFamily(field: Readonly<Record<string, string>>): (text: string) => string {
  const family = {
    code: 'notice',
    zh: '告示',
    en: 'Notice',
    source: '测试',
    validFrom: null,
    validTo: null,
    fields: [field],
  }
  return text => {
    const file: { codes: unknown[] } = JSON.parse(text)
    return JSON.stringify({ ...file, codes: [...file.codes, family] })
  }
}

describe('the shared vocabulary', () => {
  test('holds the families, the fourteen kinds of penalty and the levels of every scheme', () => {
    const families = ['licence', 'penalty', 'list', 'rating', 'commitment', 'contract', 'breach']
    expect([...vocabulary.families.keys()]).toEqual(families)
    expect(vocabulary.sets.get('penalty-kinds')?.size).toBe(14)
    expect(vocabulary.sets.get('share-levels')?.size).toBe(shareLevels.length)
    expect(vocabulary.sets.get('record-states')?.size).toBe(recordStates.length)
    expect(vocabulary.sets.get('rating-levels')?.has('environment-yrd.yellow')).toBe(true)
  })

  test('knows which field names the list or the scheme of a record', () => {
    for (const family of ['commitment', 'contract', 'breach']) {
      const { listField, schemeField } = vocabulary.families.get(family) ?? {}
      expect([listField, schemeField], family).toEqual([undefined, undefined])
    }
    expect(vocabulary.families.get('list')?.listField).toBe('type')
    expect(vocabulary.families.get('rating')?.schemeField).toBe('scheme')
  })

  test('never places tax M, customs routine and "not rated" between two levels', () => {
    for (const code of ['tax-2025.m', 'customs-2026.routine', 'customs-2021.other', 'environment-national.unrated']) {
      const level = [...vocabulary.schemes.values()].flatMap(({ levels }) => levels).find(each => each.code === code)
      expect(level?.rank, code).toBeNull()
    }
  })

  test('states a source for every code, and a basis for every severe list', () => {
    for (const [set, codes] of vocabulary.sets) {
      for (const term of codes.values()) expect(term.source, `${set} ${term.code}`).not.toBe('')
    }
    for (const list of vocabulary.lists.values()) if (list.severe) expect(list.basis, list.code).not.toBeNull()
  })

  test('has no field for a person, whatever it is called', () => {
    const personal = /法定代表人|负责人|身份证|证件|电话|手机|经办人|姓名/
    for (const family of vocabulary.families.values()) {
      for (const field of family.fields.values()) expect(field.zh).not.toMatch(personal)
    }
  })

  test('dates its codes: customs levels change on 2026-04-01', () => {
    const [before, after] = ['customs-2021', 'customs-2026'].map(code => vocabulary.schemes.get(code))
    expect(before && validOn(before, '2026-03-31')).toBe(true)
    expect(before && validOn(before, '2026-04-01')).toBe(false)
    expect(after && validOn(after, '2026-03-31')).toBe(false)
    expect(after && validOn(after, '2026-04-01')).toBe(true)
  })

  test('writes every date as the wire does', () => {
    for (const codes of vocabulary.sets.values()) {
      for (const { validFrom, validTo } of codes.values()) {
        for (const day of [validFrom, validTo]) if (day !== null) expect(RecordDate.safeParse(day).success).toBe(true)
      }
    }
  })
})

describe('a vocabulary with faults is refused, and every fault is told at once', () => {
  test('in several files, each with its path and what to do', () => {
    const files = vocabularyFiles().map(({ file, text }) => {
      if (file === 'purposes.json') return { file, text: text.replace('"zh": "招标投标"', '"name": "招标投标"') }
      if (file === 'list-types.json')
        return { file, text: text.replace('国家税务总局令第54号"', '').replace('"basis": "', '"basis": null, "x": "') }
      if (file === 'rating-origins.json') return { file, text: '{' }
      return { file, text }
    })
    const faults = faultsOf(files)
    expect(new Set(faults.map(({ file }) => file)).size).toBeGreaterThanOrEqual(3)
    for (const { problem, remedy } of faults) {
      expect(problem).not.toBe('')
      expect(remedy).not.toBe('')
    }
    expect(faults.find(({ file, path }) => file === 'purposes.json' && path.startsWith('codes[0]'))).toBeDefined()
  })

  test.each<[string, string, (text: string) => string, RegExp]>([
    ['a code that stands twice', 'purposes.json', text => text.replace('"procurement"', '"tendering"'), /stands twice/],
    [
      'a missing share level',
      'share-levels.json',
      text => text.replace('"authorised"', '"secret"'),
      /authorised is missing/,
    ],
    [
      'a severe list without a basis',
      'list-types.json',
      text => text.replace('"basis": "国家税务总局令第54号"', '"basis": null'),
      /legal basis/,
    ],
    ['levels out of order', 'rating-schemes.json', text => text.replace('"rank": 2', '"rank": 3'), /count up from 1/],
    [
      'a field of a set that is not there',
      'families.json',
      text => text.replace('"penalty-kinds"', '"penalty-sorts"'),
      /no set penalty-sorts/,
    ],
    [
      'another family with lists, which no gate would judge',
      'families.json',
      addFamily({ name: 'kind', zh: '名单', en: 'List', type: 'code', set: 'list-types', level: 'public' }),
      /judge list-types in list\.type alone/,
    ],
    [
      'another family with ratings, which no gate would judge',
      'families.json',
      addFamily({ name: 'scheme', zh: '评价', en: 'Scheme', type: 'code', set: 'rating-schemes', level: 'public' }),
      /judge rating-schemes in rating\.scheme alone/,
    ],
    [
      'a list whose type stands in a field of another name',
      'families.json',
      text => text.replace('"name": "type"', '"name": "sort"'),
      /judge list-types in list\.type alone/,
    ],
    [
      'lists that do not say which they are',
      'families.json',
      text => text.replace('"set": "list-types"', '"set": "licence-kinds"'),
      /not of the set list-types/,
    ],
    [
      'an end before the beginning',
      'rating-schemes.json',
      text => text.replace('"validTo": "2026-03-31"', '"validTo": "2020-03-31"'),
      /before validFrom/,
    ],
    ['an unknown member', 'purposes.json', text => text.replace('"set"', '"comment": "", "set"'), /[Uu]nrecognized/],
  ])('%s', (_, file, change, problem) => {
    const faults = faultsAfter(file, change)
    expect(faults.map(fault => fault.problem).join('\n')).toMatch(problem)
    expect(faults.every(fault => fault.file === file || fault.file === 'vocabulary')).toBe(true)
  })

  test('a missing file', () => {
    const faults = faultsOf(vocabularyFiles().filter(({ file }) => file !== 'purposes.json'))
    expect(faults).toEqual([
      { file: 'vocabulary', path: '', problem: 'the set purposes is missing', remedy: 'Add its file' },
    ])
  })

  test('the same set in two files', () => {
    const [first] = vocabularyFiles()
    const faults = faultsOf([...vocabularyFiles(), { file: 'again.json', text: first?.text ?? '' }])
    expect(faults).toHaveLength(1)
    expect(faults[0]?.problem).toContain(first?.file)
  })
})
