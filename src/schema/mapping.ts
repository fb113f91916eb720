/** A city's mapping file, checked against the vocabulary, proven total over the code lists it names, and compiled once. */
import { type ConfigFile, ConfigurationError, type Fault, readForm } from '#protocol/fault.ts'
import { checkMapping } from './check.ts'
import { MappingForm } from './format.ts'
import { compiler } from './rule.ts'
import { type CompiledTable, compileTable } from './table.ts'
import type { Vocabulary } from './vocabulary.ts'

export type { CompiledTable } from './table.ts'

export type CompiledMapping = {
  readonly city: string
  readonly zh: string
  readonly en: string
  readonly version: string
  /** The city has not published its tables, and says so wherever its mapping is shown. */
  readonly assumed: boolean
  readonly tables: ReadonlyMap<string, CompiledTable>
  readonly families: ReadonlySet<string>
  readonly vocabulary: Vocabulary
}

/**
 * Reads a mapping from the text of its file and compiles it.
 * Throws ConfigurationError with every fault of the file: those of its form, or, where the form is right, those of its meaning.
 */
export function readMapping(file: ConfigFile, vocabulary: Vocabulary): CompiledMapping {
  const faults: Fault[] = []
  const form = readForm(file, MappingForm, faults)
  if (form !== undefined) faults.push(...checkMapping(form, vocabulary, file.file))
  if (form === undefined || faults.length > 0) throw new ConfigurationError(faults)

  const rules = compiler(form, vocabulary)
  const tables = Object.entries(form.tables).map(([name, table]) => compileTable(name, table, rules, vocabulary))
  return {
    city: form.city,
    zh: form.zh,
    en: form.en,
    version: form.version,
    assumed: form.assumed ?? false,
    tables: new Map(tables.map(table => [table.name, table])),
    families: new Set(tables.map(table => table.family)),
    vocabulary,
  }
}
