/** What a city finds in its demo tables about one enterprise, read through a real database, and what of it may leave. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clause } from '#agreement/authorise.ts'
import { stoppedBy } from '#agreement/gates.ts'
import { maskPersonalNumbers, subjectKinds } from '#protocol/subject.ts'
import type { CompiledMapping } from '#schema/mapping.ts'
import type { SharedRecord } from '#schema/record.ts'
import { translate } from '#schema/translate.ts'
import { gather, lookUp } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'
import { fillSqlite } from '../../src/demo-tables.ts'
import { cityNames, demoTables, mappingOf, vocabulary } from './cities.ts'

/** Today in China, by which publicity ends. */
const today = Temporal.Now.plainDateISO('Asia/Shanghai').toString()

/** Fills a database for each source of a city with its demo tables, until it is closed. */
export function cityDatabase(city: string) {
  const directory = mkdtempSync(join(tmpdir(), `xinqiao-${city}-`))
  const fileOf = (source: string) => join(directory, `${source}.sqlite`)
  for (const [source, tables] of Map.groupBy(demoTables(city), ({ source }) => source)) {
    fillSqlite(fileOf(source), tables)
  }
  const mapping = mappingOf(city)
  const held = Map.groupBy(mapping.tables.values(), ({ source }) => source)
  const sources = gather([...held].map(([name, tables]) => openSqlite({ name, path: fileOf(name), tables })))
  return {
    mapping,
    /** The records about a subject, as the city's own tables give them, in the order of the mapping. */
    about: (subject: string) => recordsAbout(subject, mapping, sources),
    sources,
    async close() {
      await sources.close()
      rmSync(directory, { recursive: true })
    },
  }
}

async function recordsAbout(subject: string, mapping: CompiledMapping, sources: ReturnType<typeof gather>) {
  const found = await lookUp({ subjects: [subject], families: [...mapping.families] }, sources)
  return translate(found, mapping).flatMap(({ family, records, unknown, freshness }) => {
    if (unknown !== undefined || freshness.status !== 'fresh')
      throw new Error(`${family}: ${unknown} ${freshness.status}`)
    return records.get(subject) ?? []
  })
}

/** A clause that gives everything there is. */
const everything: Clause = {
  clause: '',
  kinds: new Set(subjectKinds),
  level: 'authorised',
  fields: new Set(),
  lists: new Set(vocabulary.lists.keys()),
  schemes: new Set(vocabulary.schemes.keys()),
}

/** The rule that keeps a record at home, whatever an agreement says; undefined where there is none. */
export function keptBy(record: SharedRecord): string | undefined {
  const { listField, schemeField } = vocabulary.families.get(record.family) ?? {}
  const clause = {
    ...everything,
    lists: listField === undefined ? undefined : everything.lists,
    schemes: schemeField === undefined ? undefined : everything.schemes,
  }
  // Whose catalogue it is in, the record does not say: it is enough that it is in one.
  const rules = cityNames.map(giver => stoppedBy(record, { today, clauses: [clause], giver, vocabulary }))
  return rules.includes(undefined) ? undefined : (rules.find(rule => rule !== 'record.catalogue') ?? rules[0])
}

/** Everything a record could say on the wire, masked as it is masked there. */
export function openText({ fields }: SharedRecord): string {
  return Object.values(fields)
    .map(value => {
      if (typeof value === 'string') return maskPersonalNumbers(value)
      if ('untranslated' in value) return maskPersonalNumbers(value.untranslated)
      return JSON.stringify(value)
    })
    .join(' ¦ ')
}
