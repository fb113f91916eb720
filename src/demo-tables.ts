/** A city's demo tables: read from its readable files, with dates that are counted from today, and written into a SQLite file. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'

/** A day so many days from today in Asia/Shanghai, written in the table's own way: `{"today": -3, "as": "YYYY/MM/DD"}`. */
const Day = z.strictObject({ today: z.int(), as: z.string() })
const Cell = z.union([z.string(), z.number(), z.null(), Day])
const Table = z.strictObject({
  table: z.string(),
  /** Which of the city's databases holds it, where there are several. */
  source: z.string().default('city'),
  note: z.string().optional(),
  columns: z.record(z.string(), z.string()),
  indexes: z.array(z.string()).default([]),
  rows: z.array(z.record(z.string(), Cell)),
})
export type DemoTable = z.infer<typeof Table>

export function readTables(folder: string): DemoTable[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => Table.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
}

export function fillSqlite(path: string, tables: readonly DemoTable[]): void {
  using db = new DatabaseSync(path)
  // In one transaction: a commit waits for the disk, and with one for each row this was most of a start.
  db.exec('begin')
  for (const { table, columns, indexes, rows } of tables) {
    const names = Object.keys(columns)
    db.exec(`create table "${table}" (${names.map(name => `"${name}" ${columns[name]}`).join(', ')})`)
    for (const column of indexes) db.exec(`create index "${table}_${column}" on "${table}" ("${column}")`)
    const insert = db.prepare(
      `insert into "${table}" (${names.map(name => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
    )
    for (const row of rows) insert.run(...names.map(name => cellText(row[name])))
  }
  db.exec('commit')
}

/** What a database is given for a cell, or for one that its row leaves out. */
export function cellText(cell: z.infer<typeof Cell> | undefined): string | number | null {
  if (cell === undefined || cell === null) return null
  if (typeof cell !== 'object') return cell
  const date = Temporal.Now.plainDateISO('Asia/Shanghai').add({ days: cell.today }).toString()
  const [year = '', month = '', day = ''] = date.split('-')
  return cell.as.replace('YYYY', year).replace('MM', month).replace('DD', day).replace('hh:mm:ss', '00:00:00')
}
