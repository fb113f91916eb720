/** What is found of odd spellings follows the table, and what is not known of them is never "no records". */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { gather, lookUp, type Source, type Table } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'

const CODE = '91320281250344877K'
const ODD = '9132 0281 2503 44877K'
const table: Table = {
  name: 't',
  family: 'licence',
  table: 't',
  columns: ['k', 'n'],
  key: { columns: ['k'], forms: ['code'], prefixes: [] },
  where: [],
}
const directory = mkdtempSync(join(tmpdir(), 'xinqiao-spellings-'))
afterAll(() => rmSync(directory, { recursive: true }))

function holding(name: string, ...codes: readonly string[]) {
  const path = join(directory, `${name}.sqlite`)
  using db = new DatabaseSync(path)
  db.exec('pragma journal_mode = wal; create table t (k text, n integer); create index i on t (k)')
  const put = (code: string) => {
    using db = new DatabaseSync(path)
    db.prepare('insert into t values (?, 1)').run(code)
  }
  for (const code of codes) put(code)
  return { put, source: openSqlite({ name: 'city', path, tables: [table] }) }
}

/** How many rows are found, or why that is unknown; in a turn of its own, for all of one turn see the table at one moment. */
async function rows(sources: ReturnType<typeof gather>) {
  await nextTurn()
  const [found] = await lookUp({ subjects: [CODE], families: ['licence'] }, sources)
  return found?.unknown ?? found?.rows.length
}

describe('spellings that nobody could list', () => {
  it('are found by the first question', async () => {
    const { source } = holding('first', ODD)
    const sources = gather([source])
    expect(await rows(sources)).toBe(1)
    await sources.close()
  })

  it('are learned again after a while: in the background at first, and before the answer when they are older still', async () => {
    let now = 0
    const { put, source } = holding('again', CODE)
    let reads = 0
    const counting: Source = {
      ...source,
      async *texts(...of) {
        reads += 1
        yield* source.texts(...of)
      },
    }
    const sources = gather([counting], { now: () => now, lifetimeMs: 12e9 })
    expect(await rows(sources)).toBe(1)
    put(ODD)
    now = 1e9 - 1
    expect([await rows(sources), reads]).toEqual([1, 1])
    now = 2e9
    expect([await rows(sources), reads]).toEqual([2, 2])
    put(ODD.replaceAll(' ', '-'))
    now = 3e9 + 1
    expect([await rows(sources), reads]).toEqual([2, 3])
    while ((await rows(sources)) !== 3) await nextTurn()
    expect(reads).toBe(3)
    await sources.close()
  })

  it('are not known where the table cannot be read whole, and then neither is what it holds', async () => {
    const { source } = holding('slow', CODE)
    const never: Source = {
      ...source,
      async *texts() {
        await Promise.withResolvers().promise
        yield []
      },
    }
    expect(await rows(gather([never]))).toBe('source.slow')
    await source.close()
  })

  it('hold nobody up while a large table is read', async () => {
    const { source } = holding('large')
    using db = new DatabaseSync(join(directory, 'large.sqlite'))
    db.exec(`with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000)
      insert into t select '91320281' || printf('%010d', i), i from c`)
    db.prepare('insert into t values (?, 1)').run(ODD)
    let turns = 0
    const turn = () => {
      turns += 1
      waiting = setImmediate(turn)
    }
    let waiting = setImmediate(turn)
    const sources = gather([source])
    expect(await rows(sources)).toBe(1)
    clearImmediate(waiting)
    expect(turns).toBeGreaterThan(5)
    await sources.close()
  })
})
