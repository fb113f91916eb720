/** The translation reports of all cities whose mappings lie in the configuration, worked out once for each text of a file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { sha256 } from '#protocol/canonical.ts'
import { type Fault, readForm } from '#protocol/fault.ts'
import { checkMapping } from '#schema/check.ts'
import { MappingForm } from '#schema/format.ts'
import { reportMapping, type TranslationReport } from '#schema/report.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { jsonFiles } from '#trust/members.ts'

/** A city's mapping as far as it can be read; of one with faults the report may be wrong, and of some there is none. */
export type Reported = {
  readonly city: string
  readonly report: TranslationReport | undefined
  readonly faults: readonly Fault[]
}

const known = new WeakMap<Vocabulary, LRUCache<string, Reported>>()

/** One for each file `<config>/mappings/<city>.json`, in the order of the cities' ids. */
export function reportsIn(config: string, vocabulary: Vocabulary): readonly Reported[] {
  const cache = known.get(vocabulary) ?? new LRUCache<string, Reported>({ max: 64 })
  known.set(vocabulary, cache)
  return jsonFiles(join(config, 'mappings')).map(name => {
    const text = readFileSync(join(config, 'mappings', name), 'utf8')
    const key = `${name} ${sha256(text)}`
    const found = cache.get(key) ?? read(name, text, vocabulary)
    cache.set(key, found)
    return found
  })
}

function read(name: string, text: string, vocabulary: Vocabulary): Reported {
  const city = name.replace(/\.json$/, '')
  const file = `mappings/${name}`
  const faults: Fault[] = []
  const form = readForm({ file, text }, MappingForm, faults)
  if (form === undefined) return { city, report: undefined, faults }
  return { city, report: reportMapping(form, vocabulary), faults: checkMapping(form, vocabulary, file) }
}
