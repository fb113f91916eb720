/** The demo tables of every city: each row is read by the mapping, travels, and says nothing personal. */
import { afterAll, describe, expect, test } from 'vitest'
import { WireRecord } from '#protocol/message.ts'
import { holdsPersonalNumber, readSubject } from '#protocol/subject.ts'
import { toLocal } from '#schema/translate.ts'
import { cityNames, demoTables, mappingOf } from './cities.ts'
import { cityDatabase, openText } from './lookup.ts'

const cities = cityNames.map(name => ({ name, city: cityDatabase(name), subjects: subjectsOf(name) }))
afterAll(() => Promise.all(cities.map(({ city }) => city.close())))
const mappings = cityNames.map(mappingOf)

/** Every code of a subject that stands anywhere in the tables, whatever is around it. */
function subjectsOf(city: string): string[] {
  const cells = demoTables(city).flatMap(({ rows }) => rows.flatMap(row => Object.values(row)))
  const codes = cells.flatMap(cell =>
    typeof cell === 'string' ? [...cell.matchAll(/(?<![0-9A-Z])9[123][0-9]{6}[0-9A-Z]{10}(?![0-9A-Z])/gi)].flat() : [],
  )
  return [...new Set(codes.map(code => code.toUpperCase()))]
}

describe('the demo', () => {
  test.each(cities)('of $name names only codes that are valid', ({ subjects }) => {
    expect(subjects.length).toBeGreaterThan(2)
    for (const code of subjects) expect(readSubject(code).uscc).toBe(code)
  })

  test.each(cities)(
    'of $name: every record fits the wire, and no city passes over it in silence',
    async ({ city, subjects }) => {
      for (const subject of subjects) {
        for (const { id, family, fields } of await city.about(subject)) {
          expect(WireRecord.safeParse({ id, family, fields }).error).toBeUndefined()
          for (const mapping of mappings) {
            const { columns, untranslated } = toLocal({ id, family, fields }, mapping)
            const told = untranslated.length + Object.keys(columns).length
            if (Object.keys(fields).length > 0) expect(told, `${id} in ${mapping.city}`).toBeGreaterThan(0)
          }
        }
      }
    },
  )

  test.each(cities)(
    'of $name: nothing that is read holds a person’s number or name once it is masked',
    async ({ city, subjects }) => {
      for (const subject of subjects) {
        for (const record of await city.about(subject)) {
          expect(holdsPersonalNumber(openText(record))).toBe(false)
          expect(openText(record)).not.toMatch(/虚构人|虚构自然人|19000101/)
        }
      }
    },
  )
})
