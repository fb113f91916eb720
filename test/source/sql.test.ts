import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { translate } from '#schema/translate.ts'
import { countKeys, learn } from '#source/keys.ts'
import { type Found, gather, lookUp, type Source, type Table } from '#source/source.ts'
import { openPostgres, openSqlite } from '#source/sql.ts'
import { cellText, fillSqlite } from '../../src/demo-tables.ts'
import { freePort } from '../../src/federation.ts'
import { demoTables, mappingOf } from '../schema/cities.ts'
import { type Server, startPostgres } from './postgres.ts'

const A = '91320281XXXXXX0197'
const B = '91320281XXXXXX0272'
const C = '91320281XXXXXX051J'

const licence: Table = {
  name: 'licences',
  family: 'licence',
  table: '许可',
  columns: ['CODE', 'NAME', 'AMOUNT', '日期', 'KIND'],
  key: { columns: ['CODE'], forms: ['code'], prefixes: ['统一社会信用代码：'] },
  where: [
    { column: 'KIND', in: ['1', '2'] },
    { column: 'NAME', notIn: ["x'; drop table 许可; --", '作废'] },
    { column: 'AMOUNT', empty: false },
    { column: '日期', empty: false, none: ['1900-01-01'] },
  ],
  freshness: { column: '日期', maxAgeSeconds: 86_400, instant: text => `${text}T00:00:00.000Z` },
}
const rows = [
  [A, '甲（集团）公司', 1.5, '2026-03-01', 1],
  [A, null, 12_345.67, '2026-03-02', 2],
  [A, '作废', 1, '2026-03-03', 1],
  [A, '丙', 1, '2026-03-04', 3],
  [A, '丁', null, '2026-03-05', 1],
  [A, '己', 1, '1900-01-01', 1],
  [B.toLowerCase(), '乙', 0.1, '2026-03-06', 1],
  [`统一社会信用代码：${B}`, '乙', 100, '2026-03-07', 1],
  [C, '戊', 100, '2026-03-08', 1],
  ['代码： 9132 0281 xxxx XX05 1J（1/1）', '庚', 100, '2026-03-01', 1],
  ['９１３２０２８１ＸＸＸＸＸＸ０５１Ｊ', '辛', 100, '2026-03-01', 1],
] as const

/** What both databases have to give for the same rows. */
async function givesTheSame(source: Source) {
  const found = await source.read(licence, [A, B])
  const bySubject = (subject: string) =>
    found
      .filter(each => each.subject === subject)
      .map(({ row }) => `${row['NAME']} ${Number(row['AMOUNT'])} ${row['日期']}`)
  expect(bySubject(A).toSorted()).toEqual(['null 12345.67 2026-03-02', '甲（集团）公司 1.5 2026-03-01'])
  expect(bySubject(B)).toHaveLength(2)
  expect(found).toHaveLength(4)
  expect(found.every(({ table }) => table === 'licences')).toBe(true)
  const inAnySpelling = await source.read(licence, [C], await learn(source, licence))
  expect(inAnySpelling.map(({ row }) => row['NAME']).toSorted()).toEqual(['庚', '戊', '辛'])
  expect(await countKeys(source, licence)).toMatchObject({ rows: 7, without: 0 })
  expect(await source.newest(licence)).toBe('2026-03-08')
  await source.check()
}

const lookAt = (source: Source, subjects = [A]) => lookUp({ subjects, families: ['licence'] }, gather([source]))

describe('SQLite', () => {
  const directory = mkdtempSync(join(tmpdir(), 'xinqiao-source-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  let count = 0

  /** A database file with the rows, in WAL mode as a live one would be. */
  function file(columns = 'CODE text, NAME text, AMOUNT real, 日期 text, KIND integer'): string {
    count += 1
    const path = join(directory, `${count}.db`)
    using db = new DatabaseSync(path)
    db.exec(`pragma journal_mode = wal; create table 许可 (${columns}); create index k on 许可 (CODE)`)
    const insert = db.prepare('insert into 许可 values (?, ?, ?, ?, ?)')
    for (const row of rows) insert.run(...row)
    return path
  }
  const open = (path: string, busyMs?: number) =>
    openSqlite({ name: 'city', path, tables: [licence], ...(busyMs !== undefined && { busyMs }) })

  test('gives the rows of all subjects by key, in the forms and under the conditions of the mapping', async () => {
    const source = open(file())
    await givesTheSame(source)
    await source.close()
  })

  test('finds a hundred subjects through the index, in one query', async () => {
    const path = file()
    {
      using db = new DatabaseSync(path)
      const plan = db
        .prepare('explain query plan select * from 许可 t where t."CODE" in (select value from json_each(?1))')
        .all('[]')
      expect(JSON.stringify(plan)).toContain('SEARCH t USING INDEX k')
    }
    const source = open(path)
    const subjects = Array.from({ length: 99 }, (_, i) => `9132028100000000${String(i).padStart(2, '0')}`)
    expect(await source.read(licence, [...subjects, A])).toHaveLength(2)
    await source.close()
  })

  test('treats a subject as a value, whatever it holds', async () => {
    const source = open(file())
    for (const subject of ["' or 1=1 --", '"', '\\', '[]', '%'])
      expect(await source.read(licence, [subject])).toEqual([])
    await source.close()
  })

  test('cannot be written through, not even by us', async () => {
    const path = file()
    const source = open(path)
    const evil = { ...licence, table: '许可', columns: ['CODE" from 许可; delete from 许可; --'] }
    await expect(source.read(evil, [A])).rejects.toThrow('not a name for SQL')
    expect(await source.read(licence, [A])).toHaveLength(2)
    await source.close()
  })

  test('that has no such file is unreachable, and recovers when the file is there', async () => {
    const path = join(directory, 'later.db')
    const source = open(path)
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable', rows: [] }])
    copyFileSync(file(), path)
    expect(await source.read(licence, [A])).toHaveLength(2)
    await source.close()
  })

  test('whose file is taken away is unreachable at once, and what is put in its place is read at once', async () => {
    const path = file()
    const source = open(path)
    expect(await source.read(licence, [A])).toHaveLength(2)
    await nextTurn()
    renameSync(path, `${path}.old`)
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable' }])
    const fresh = file()
    {
      using db = new DatabaseSync(fresh)
      db.exec(`insert into 许可 values ('${A}', '新', 1, '2026-04-01', 1); pragma wal_checkpoint(truncate)`)
    }
    await nextTurn()
    renameSync(fresh, path)
    expect(await source.read(licence, [A])).toHaveLength(3)
    await source.close()
  })

  test('that lacks a column is unreachable, and the column’s name is never taken for a text', async () => {
    const source = open(file('CODE text, TITLE text, AMOUNT real, 日期 text, KIND integer'))
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable' }])
    expect(await gather([source]).check()).toMatchObject([
      { name: 'city', fault: 'source.unreachable', detail: expect.stringContaining('NAME') },
    ])
    await source.close()
  })

  test('that is no database is unreachable', async () => {
    const path = join(directory, 'noise.db')
    writeFileSync(path, 'no database at all, '.repeat(500))
    const source = open(path)
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable' }])
    await source.close()
  })

  test('that is locked is slow, and recovers when it is free', async () => {
    const path = file()
    using writer = new DatabaseSync(path)
    writer.exec('pragma journal_mode = delete; begin exclusive')
    const source = open(path, 1)
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.slow' }])
    writer.exec('rollback')
    expect(await source.read(licence, [A])).toHaveLength(2)
    await source.close()
  })

  test('shows a new row to the next question', async () => {
    const path = file()
    const source = open(path)
    expect(await source.read(licence, [A])).toHaveLength(2)
    using db = new DatabaseSync(path)
    db.exec(`insert into 许可 values ('${A}', '新', 1, '2026-04-01', 1)`)
    await nextTurn()
    expect(await source.read(licence, [A])).toHaveLength(3)
    await source.close()
  })
})

describe('PostgreSQL', () => {
  let server: Server
  let admin: postgres.Sql
  const opened: Source[] = []
  const open = (url: string, timeoutMs = 1_000) => {
    const source = openPostgres({ name: 'city', url, tables: [licence], timeoutMs })
    opened.push(source)
    return source
  }

  beforeAll(async () => {
    server = await startPostgres()
    admin = postgres(server.url, { max: 2, onnotice: () => {} })
    await admin.unsafe(
      'create table 许可 ("CODE" text, "NAME" text, "AMOUNT" numeric(18,6), 日期 date, "KIND" smallint)',
    )
    await admin.unsafe('create index on 许可 ("CODE")')
    for (const row of rows)
      await admin.unsafe(
        'insert into 许可 values ($1, $2, $3, $4, $5)',
        row.map(cell => (cell === null ? null : String(cell))),
      )
  }, 120_000)
  afterAll(async () => {
    for (const source of opened) await source.close()
    await admin?.end({ timeout: 1 })
    await server?.remove()
  })

  test('gives the same as SQLite, amounts to the last digit', async () => {
    await givesTheSame(open(server.url))
  })

  test.each(['jiangyin', 'huizhou'])('gives the records of %s as SQLite does', async city => {
    const mapping = mappingOf(city)
    const tables = [...mapping.tables.values()]
    const demo = demoTables(city)
    const directory = mkdtempSync(join(tmpdir(), 'xinqiao-demo-'))
    const path = join(directory, 'city.db')
    fillSqlite(path, demo)
    for (const { table, columns, rows } of demo) {
      const names = Object.keys(columns)
      await admin.unsafe(`create table "${table}" (${names.map(name => `"${name}" ${columns[name]}`).join(', ')})`)
      const places = names.map((name, i) => `$${i + 1}::text::${columns[name]}`).join(', ')
      for (const row of rows) {
        const cells = names.map(name => cellText(row[name])?.toString() ?? null)
        await admin.unsafe(`insert into "${table}" values (${places})`, cells)
      }
    }
    const subjects = new Set(demo.flatMap(({ indexes: [key = ''], rows }) => rows.map(row => String(row[key]))))
    const asked = { subjects: [...subjects], families: ['licence', 'penalty', 'list', 'rating'] }
    const here = openSqlite({ name: city, path, tables })
    const there = openPostgres({ name: city, url: server.url, tables })
    opened.push(here, there)
    expect(await gather([here, there]).check()).toEqual([{ name: city }, { name: city }])
    const read = async (source: Source) =>
      translate(await lookUp(asked, gather([source])), mapping).map(({ family, freshness, records }) => ({
        family,
        freshness,
        records: [...records.values()]
          .flat()
          .map(record => JSON.stringify(record))
          .toSorted(),
      }))
    const found = await read(here)
    expect(found).toEqual(await read(there))
    expect(found.map(({ freshness }) => freshness.status)).toEqual(['fresh', 'fresh', 'fresh', 'fresh'])
    expect(found.flatMap(({ records }) => records)).toHaveLength(demo.flatMap(({ rows }) => rows).length)
    rmSync(directory, { recursive: true })
  })

  test('treats a subject as a value, whatever it holds', async () => {
    const source = open(server.url)
    for (const subject of ["' or 1=1 --", '"', '\\', '{}', '{NULL}', '%', ',']) {
      expect(await source.read(licence, [subject])).toEqual([])
    }
  })

  test('cannot be written through, even by an owner', async () => {
    const source = open(server.url)
    const writing: Table = { ...licence, table: 'writing' }
    await admin.unsafe(
      "create function scribble() returns text language sql as $$ insert into 许可 values (1) returning 'x' $$",
    )
    await admin.unsafe(
      'create view writing as select scribble() as "CODE", \'\' as "NAME", \'1\' as "AMOUNT", \'2026-03-01\' as 日期, \'1\' as "KIND"',
    )
    await expect(source.read(writing, [A])).rejects.toMatchObject({ code: 'source.unreachable' })
  })

  test('that takes too long is slow, and its query is ended on the server', async () => {
    const source = open(server.url, 100)
    await source.read(licence, [A])
    const locked = await admin.reserve()
    await locked.unsafe('begin')
    await locked.unsafe('lock table 许可 in access exclusive mode')
    try {
      expect(await lookAt(source)).toMatchObject([{ unknown: 'source.slow' }])
      const running = await admin.unsafe(
        "select 1 from pg_stat_activity where application_name = 'xinqiao' and state = 'active'",
      )
      expect(running).toHaveLength(0)
    } finally {
      await locked.unsafe('rollback')
      locked.release()
    }
    expect(await source.read(licence, [A])).toHaveLength(2)
  })

  test('that lacks a table is unreachable, and readiness says which', async () => {
    const source = openPostgres({ name: 'county', url: server.url, tables: [{ ...licence, table: 'nowhere.许可' }] })
    opened.push(source)
    expect(await gather([source]).check()).toMatchObject([
      { name: 'county', fault: 'source.unreachable', detail: expect.stringContaining('nowhere') },
    ])
  })

  test('where nothing listens is unreachable', async () => {
    const source = open(`postgres://x:y@127.0.0.1:${await freePort()}/z`)
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable' }])
  })

  test('that takes the connection and says nothing is given up in time', async () => {
    const silent: TcpServer = createServer(() => {})
    const { promise: listening, resolve } = Promise.withResolvers<void>()
    silent.listen(0, '127.0.0.1', resolve)
    await listening
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const source = openPostgres({
      name: 'mute',
      url: `postgres://x:y@127.0.0.1:${port}/z`,
      tables: [licence],
      timeoutMs: 100,
    })
    const before = performance.now()
    const [found] = await lookAt(source)
    expect(found?.unknown).toMatch(/^source\.(slow|unreachable)$/)
    expect(performance.now() - before).toBeLessThan(2_000)
    await source.close()
    silent.close()
  })

  test('that goes down is unreachable, and is read again as soon as it is back', async () => {
    const source = open(server.url)
    const read = async (): Promise<readonly Found[]> => await source.read(licence, [A])
    expect(await read()).toHaveLength(2)
    await server.stop()
    expect(await lookAt(source)).toMatchObject([{ unknown: 'source.unreachable', rows: [] }])
    await server.start()
    expect(await read()).toHaveLength(2)
  })
})
