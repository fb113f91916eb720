/** The real configuration and the demo's tables, as the tests of schema and source use them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConfigFile } from '#protocol/fault.ts'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import { readVocabulary } from '#schema/vocabulary.ts'
import { type DemoTable, readTables } from '../../src/demo-tables.ts'

const root = join(import.meta.dirname, '../..')

export function vocabularyFiles(): ConfigFile[] {
  const folder = join(root, 'federation-config/vocabulary')
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(file => ({ file, text: readFileSync(join(folder, file), 'utf8') }))
}

export const vocabulary = readVocabulary(vocabularyFiles())

/** Every city that has a mapping, in the order of the alphabet. */
export const cityNames: readonly string[] = readdirSync(join(root, 'federation-config/mappings'))
  .filter(name => name.endsWith('.json'))
  .map(name => name.replace('.json', ''))
  .toSorted()

export function mappingFile(city: string): ConfigFile {
  const file = `${city}.json`
  return { file, text: readFileSync(join(root, 'federation-config/mappings', file), 'utf8') }
}

export function mappingOf(city: string): CompiledMapping {
  return readMapping(mappingFile(city), vocabulary)
}

export function demoTables(city: string): DemoTable[] {
  return readTables(join(root, 'demo', city))
}
