/** The shared vocabulary and the cities' mappings hold to each other: no code that nobody says, no word that means nothing shared. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { MappingForm } from '#schema/format.ts'
import { readMapping } from '#schema/mapping.ts'
import { cityNames, mappingFile, vocabulary } from './cities.ts'

const forms = cityNames.map(city => MappingForm.parse(JSON.parse(mappingFile(city).text)))

/** The sets that a mapping can speak of; purposes, measures and their like stand in agreements and questions. */
const spoken = new Set([
  ...[...vocabulary.families.values()].flatMap(({ fields }) => [...fields.values()].flatMap(({ set }) => set ?? [])),
  'subject-kinds',
  'record-states',
  'share-levels',
])

/** Every code of a set that some city's word, or a constant of some table, means. */
function said(set: string): Set<string> {
  const codes = new Set<string>()
  for (const form of forms) {
    for (const list of Object.values(form.codes)) {
      if (list.set === set) for (const entry of list.read) for (const code of entry.codes) codes.add(code)
    }
    for (const table of Object.values(form.tables)) {
      for (const [name, { constant }] of Object.entries(table.fields)) {
        const field = vocabulary.families.get(table.family)?.fields.get(name)
        if (field?.set === set && constant !== undefined) codes.add(constant)
      }
    }
  }
  return codes
}

function faultsAfter(city: string, change: (form: MappingForm) => void): readonly Fault[] {
  const { file, text } = mappingFile(city)
  const form: MappingForm = JSON.parse(text)
  change(form)
  try {
    readMapping({ file, text: JSON.stringify(form) }, vocabulary)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

describe('the vocabulary', () => {
  test.each([...spoken])('has no code of %s that no city ever says', set => {
    const unsaid = [...(vocabulary.sets.get(set)?.keys() ?? [])].filter(code => !said(set).has(code))
    expect(unsaid).toEqual([])
  })

  test('has no family that no city keeps', () => {
    const kept = new Set(forms.flatMap(({ tables }) => Object.values(tables).map(({ family }) => family)))
    expect([...vocabulary.families.keys()].filter(family => !kept.has(family))).toEqual([])
  })
})

describe('a code list', () => {
  const lists = cityNames.flatMap((city, i) => Object.keys(forms[i]?.codes ?? {}).map(list => [city, list] as const))

  test.each(lists)('of %s, %s, that names a code outside the vocabulary is reported', (city, list) => {
    const faults = faultsAfter(city, form => {
      form.codes[list]?.read.push({ words: ['虚构的词'], relation: 'exact', codes: ['no-such-code'] })
    })
    expect(faults.map(({ problem }) => problem)).toContainEqual(expect.stringContaining('no code no-such-code'))
  })

  test.each(cityNames)('of %s that no table uses is reported', city => {
    const faults = faultsAfter(city, form => {
      form.codes['nobody-uses-it'] = {
        zh: '无人使用',
        source: 'test',
        set: 'record-states',
        read: [{ words: ['x'], relation: 'exact', codes: ['normal'] }],
        write: 'never',
      }
    })
    expect(faults).toMatchObject([{ path: 'codes.nobody-uses-it', problem: 'no table uses the list' }])
  })

  const written = lists.filter(([city, name]) => forms[cityNames.indexOf(city)]?.codes[name]?.write !== 'never')

  test.each(written)('of %s, %s, that lacks the word for a shared code is reported', (city, name) => {
    const read = forms[cityNames.indexOf(city)]?.codes[name]?.read ?? []
    const says = (entry: (typeof read)[number], code: string) =>
      entry.relation === 'exact' && entry.codes.includes(code)
    for (const code of new Set(read.flatMap(({ relation, codes }) => (relation === 'exact' ? codes : [])))) {
      if (read.every(entry => says(entry, code))) continue
      const faults = faultsAfter(city, form => {
        const list = form.codes[name]
        if (list !== undefined) list.read = list.read.filter(entry => !says(entry, code))
      })
      expect(faults.map(({ problem }) => problem)).toContainEqual(expect.stringContaining(`shared code ${code} `))
    }
  })
})
