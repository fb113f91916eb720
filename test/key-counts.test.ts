/** Before the first question, check says of each table which rows no question would find. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { fillSqlite } from '../src/demo-tables.ts'
import { countTables, describeCounts, type TableKeys } from '../src/key-counts.ts'
import { cityNames, demoTables, mappingOf } from './schema/cities.ts'

const directory = mkdtempSync(join(tmpdir(), 'xinqiao-counts-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** The settings of a city whose databases hold its demo tables. */
function sourcesOf(city: string): Map<string, string> {
  const bySource = Map.groupBy(demoTables(city), ({ source }) => source)
  return new Map(
    [...bySource].map(([source, tables]) => {
      const path = join(directory, `${city}-${source}.sqlite`)
      rmSync(path, { force: true })
      fillSqlite(path, tables)
      return [source, `sqlite:${path}`]
    }),
  )
}

const counts = (tables: readonly TableKeys[]) => tables.map(each => ('count' in each ? each.count : each.uncounted))

describe('the count of what no question finds', () => {
  it.each(cityNames)('has for %s every table of the mapping', async city => {
    const mapping = mappingOf(city)
    const counted = await countTables(sourcesOf(city), mapping)
    expect(counted.map(({ table }) => table)).toEqual([...mapping.tables.keys()])
    expect(counted.every(each => 'count' in each && each.count.rows >= each.count.without)).toBe(true)
  })

  it.each(cityNames)('is the same for %s after a clerk wrote the codes otherwise, in every table', async city => {
    const mapping = mappingOf(city)
    const sources = sourcesOf(city)
    const before = counts(await countTables(sources, mapping))
    rewrite(
      city,
      sources,
      (column, table) => `update "${table}" set "${column}" = char(9) || lower("${column}") || char(160)`,
    )
    const after = counts(await countTables(sources, mapping))
    const without = (all: typeof before) => all.map(each => (typeof each === 'string' ? each : each.without))
    expect(without(after)).toEqual(without(before))
  })

  it('says of the demo’s tables of Huizhou what docs/mapping.md shows', async () => {
    const page = readFileSync(join(import.meta.dirname, '../docs/mapping.md'), 'utf8')
    expect(page).toContain(describeCounts(await countTables(sourcesOf('huizhou'), mappingOf('huizhou'))))
  })

  it('tells in both languages what no question finds, and how many rows stand in another spelling', async () => {
    const sources = sourcesOf('huizhou')
    using db = new DatabaseSync((sources.get('city') ?? '').slice('sqlite:'.length))
    db.exec(
      `update XY_MD set XDR_SHXYM = substr(XDR_SHXYM, 1, 7) || ' ' || substr(XDR_SHXYM, 8) where BH = 'HZ20260001'`,
    )
    db.exec(`update XY_MD set XDR_SHXYM = '无' where BH = 'HZ20260002'`)
    db.exec(`update SGS_XZXK set XK_XDR_SHXYM = lower(XK_XDR_SHXYM) where XK_XDR_SHXYM = '91441300195971850Y'`)
    const text = describeCounts(await countTables(sources, mappingOf('huizhou')))
    expect(text).toMatch(
      /! .*XY_MD: 11 行 rows · \d 行没有合格的企业代码.*no question finds them · 1 行以其他写法查到 are found by another spelling/,
    )
    expect(text).toMatch(/✓ 3 张表的每一行都能查到 .*其中 \d+ 行以其他写法 \d+ of them in another spelling/)
  })

  it('says of a database that is not at hand that it cannot be counted, which is not none', async () => {
    const mapping = mappingOf('huizhou')
    const gone = await countTables(new Map([['city', 'sqlite:/nowhere/city.sqlite']]), mapping)
    const unnamed = await countTables(new Map([['county', 'sqlite:/nowhere/county.sqlite']]), mapping)
    for (const tables of [gone, unnamed]) {
      expect(tables.map(({ table }) => table)).toEqual([...mapping.tables.keys()])
      expect(tables.every(each => 'uncounted' in each)).toBe(true)
      expect(describeCounts(tables)).toMatch(/^ {2}\? .*无法计数.*cannot be counted/m)
      expect(describeCounts(tables)).not.toContain('✓')
    }
  })
})

/** Changes every key column of every table of a city. */
function rewrite(city: string, sources: ReadonlyMap<string, string>, sql: (column: string, table: string) => string) {
  const done = new Set<string>()
  for (const { source, table, key } of mappingOf(city).tables.values()) {
    using db = new DatabaseSync((sources.get(source) ?? '').slice('sqlite:'.length))
    for (const column of key.columns) {
      if (done.has(`${source}.${table}.${column}`)) continue
      done.add(`${source}.${table}.${column}`)
      db.exec(sql(column, table))
    }
  }
}
