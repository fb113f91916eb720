/** The real configuration and the demo's tables, as the tests of schema and source use them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { ConfigFile } from '#protocol/fault.ts'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import { readVocabulary } from '#schema/vocabulary.ts'

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

type Cell = string | number | { readonly today: number; readonly as: string }
export type DemoTable = {
  readonly table: string
  readonly source?: string
  readonly columns: Readonly<Record<string, string>>
  readonly indexes: readonly string[]
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

export function demoTables(city: string): DemoTable[] {
  const folder = join(root, 'demo', city)
  return readdirSync(folder).map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')))
}

/** The day that demo dates are counted from. */
const today = Temporal.Now.plainDateISO('Asia/Shanghai')

export function cellText(cell: Cell | undefined): string | number | null {
  if (cell === undefined) return null
  if (typeof cell !== 'object') return cell
  const [year = '', month = '', day = ''] = today.add({ days: cell.today }).toString().split('-')
  return cell.as.replace('YYYY', year).replace('MM', month).replace('DD', day).replace('hh:mm:ss', '00:00:00')
}

/** Writes a city's demo tables into an SQLite file. */
export function fillSqlite(path: string, tables: readonly DemoTable[]) {
  using db = new DatabaseSync(path)
  db.exec('begin')
  for (const { table, columns, indexes, rows } of tables) {
    const names = Object.keys(columns)
    db.exec(`create table "${table}" (${names.map(name => `"${name}" ${columns[name]}`).join(', ')})`)
    for (const column of indexes) db.exec(`create index "${table}_${column}" on "${table}" ("${column}")`)
    const insert = db.prepare(`insert into "${table}" values (${names.map(() => '?').join(', ')})`)
    for (const row of rows) insert.run(...names.map(name => cellText(row[name])))
  }
  db.exec('commit')
}
