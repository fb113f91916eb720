/** Tables in SQLite or PostgreSQL, read and never written: one prepared query for a table, by key, for all subjects of a question. */
import { statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import postgres from 'postgres'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { attributed, keyTexts } from './keys.ts'
import type { Row, Source, Table } from './source.ts'

/**
 * SQLite. The file is opened when first needed and again when it was replaced or had failed, so that an export that is
 * renamed into place is read at once. A query runs to its end on this thread: only the wait for a lock is bounded.
 */
export function openSqlite({
  name,
  path,
  tables,
  busyMs = 50,
}: {
  readonly name: string
  readonly path: string
  readonly tables: readonly Table[]
  readonly busyMs?: number
}): Source {
  let open: { db: DatabaseSync; file: string; statements: Map<string, StatementSync> } | undefined

  const drop = () => {
    try {
      open?.db.close()
    } finally {
      open = undefined
    }
  }
  // What arrives in one turn is read in one turn: one look at the file and one read transaction, with one taking of locks,
  // serve every table of every question in it, and show them as of one moment.
  let reading = false
  const finish = () => {
    reading = false
    try {
      if (open?.db.isTransaction) open.db.exec('commit')
    } catch {
      drop()
    }
  }
  const database = () => {
    if (open !== undefined && reading) return open
    const { dev, ino } = statSync(path)
    const file = `${dev}:${ino}`
    reading = true
    setImmediate(finish)
    if (open !== undefined && open.file !== file) drop()
    if (open === undefined) {
      const db = new DatabaseSync(path, { readOnly: true, timeout: busyMs })
      db.exec('pragma trusted_schema = off; pragma query_only = on')
      open = { db, file, statements: new Map() }
    }
    if (!open.db.isTransaction) open.db.exec('begin')
    return open
  }
  const statement = (text: string) => {
    const { db, statements } = database()
    const known = statements.get(text)
    if (known !== undefined) return known
    const prepared = db.prepare(text)
    statements.set(text, prepared)
    return prepared
  }
  const attempt = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      drop()
      throw sqliteFault(error, name)
    }
  }
  // All rows of a query, page by page, with a turn for others after each; over a connection of its own, for on that of the
  // questions an open query would keep them at its own moment.
  const whole = async function* (query: string, bound: readonly string[][]) {
    try {
      using db = new DatabaseSync(path, { readOnly: true, timeout: busyMs })
      db.exec('pragma trusted_schema = off; pragma query_only = on')
      let page: Record<string, unknown>[] = []
      for (const row of db.prepare(query).iterate(...bound.map(words => JSON.stringify(words)))) {
        page.push(row)
        if (page.length < PAGE) continue
        yield asTexts(page, name)
        page = []
        await nextTurn()
      }
      yield asTexts(page, name)
    } catch (error) {
      throw error instanceof Refusal ? error : sqliteFault(error, name)
    }
  }
  const queries = new Map(tables.map(table => [table, queriesFor(table, sqlite)]))
  const queriesOf = (table: Table) => queries.get(table) ?? queriesFor(table, sqlite)

  return {
    name,
    tables,
    async read(table, subjects, spellings) {
      const texts = keyTexts(table.key, subjects, spellings)
      const { select, bound } = queriesOf(table)
      const words = [[...texts.keys()], ...bound].map(each => JSON.stringify(each))
      const rows = attempt(() => statement(select).all(...words))
      return attributed(table, asTexts(rows, name), texts)
    },
    async *keys(table) {
      const { keys, bound } = queriesOf(table)
      for await (const rows of whole(keys, bound)) yield* rows
    },
    async *texts(table, column) {
      for await (const rows of whole(queriesOf(table).texts(column), [])) yield textsIn(rows)
    },
    async newest(table) {
      const { newest } = queriesOf(table)
      if (newest === undefined) return null
      const [row] = asTexts(
        attempt(() => statement(newest).all()),
        name,
      )
      return row?.['newest'] ?? null
    },
    async check() {
      attempt(() => {
        for (const table of tables) database().db.prepare(queriesOf(table).select)
      })
    },
    async close() {
      drop()
    },
  }
}

/** Rows at a time where a table is read whole; in PostgreSQL the time limit is for each such page. */
const PAGE = 2_000

function textsIn(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ text }) => text ?? [])
}

/** Every selected expression is cast to text; should one row show otherwise, none is used. */
function asTexts(rows: readonly Readonly<Record<string, unknown>>[], name: string): readonly Row[] {
  if (areTexts(rows)) return rows
  throw refuse('source.unreachable', `${name}: a column did not come as text`)
}

function areTexts(rows: readonly Readonly<Record<string, unknown>>[]): rows is readonly Row[] {
  const [first = {}] = rows
  for (const column in first) if (first[column] !== null && typeof first[column] !== 'string') return false
  return true
}

/** SQLITE_BUSY and SQLITE_LOCKED in the low byte of the extended result code. */
const LOCKED: ReadonlySet<number> = new Set([5, 6])

function sqliteFault(error: unknown, name: string): Refusal {
  const code = typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const detail = `${name}: ${error instanceof Error ? error.message : 'unreadable'}`
  return refuse(LOCKED.has(code) ? 'source.slow' : 'source.unreachable', detail, error)
}

/**
 * One query at a time on each connection. postgres.js 3.4.9 passes over a query that was cancelled while it waited in a
 * pipeline, and gives its result to the query after it: that may be an empty one, and nothing would look wrong. The option
 * is real, though its types do not know it.
 */
const unpipelined = { max_pipeline: 0 }

/**
 * PostgreSQL. The server ends a query after `timeoutMs`; a server or a network that says nothing at all is given up half
 * as much later. A lost connection is made anew by the next query.
 */
export function openPostgres({
  name,
  url,
  tables,
  timeoutMs = 1_000,
  connections = 4,
}: {
  readonly name: string
  readonly url: string
  readonly tables: readonly Table[]
  readonly timeoutMs?: number
  readonly connections?: number
}): Source {
  const sql = postgres(url, {
    max: connections,
    ...unpipelined,
    idle_timeout: 60,
    connect_timeout: Math.max(1, timeoutMs / 1000),
    // A pause before the next attempt would outlast the fault; every question is an attempt, and bounded.
    backoff: () => 0,
    onnotice: () => {},
    connection: {
      application_name: 'xinqiao',
      statement_timeout: timeoutMs,
      default_transaction_read_only: true,
      DateStyle: 'ISO, YMD',
    },
  })
  const queries = new Map(tables.map(table => [table, queriesFor(table, postgresql)]))
  const queriesOf = (table: Table) => queries.get(table) ?? queriesFor(table, postgresql)
  const run = async (text: string, bound: string[][]): Promise<readonly Row[]> => {
    const query = sql.unsafe<Row[]>(text, bound, { prepare: true })
    try {
      return await withDeadline(query, timeoutMs * 1.5)
    } catch (error) {
      throw postgresFault(error, name)
    }
  }
  const whole = async function* (text: string, bound: string[][]) {
    const query = sql.unsafe<Row[]>(text, bound, { prepare: true })
    const pages = query.cursor(PAGE)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = Promise.resolve(pages.next())
        const page = await withDeadline(Object.assign(next, { cancel: () => query.cancel() }), timeoutMs * 1.5)
        if (page.done === true) return
        yield page.value
      }
    } catch (error) {
      throw postgresFault(error, name)
    } finally {
      // Whoever stops early gives the connection back.
      pages.return?.(undefined)
    }
  }

  return {
    name,
    tables,
    async read(table, subjects, spellings) {
      const texts = keyTexts(table.key, subjects, spellings)
      const { select, bound } = queriesOf(table)
      return attributed(table, await run(select, [[...texts.keys()], ...bound]), texts)
    },
    async *keys(table) {
      const { keys, bound } = queriesOf(table)
      for await (const rows of whole(keys, bound)) yield* rows
    },
    async *texts(table, column) {
      for await (const rows of whole(queriesOf(table).texts(column), [])) yield textsIn(rows)
    },
    async newest(table) {
      const { newest } = queriesOf(table)
      if (newest === undefined) return null
      const [row] = await run(newest, [])
      return row?.['newest'] ?? null
    },
    async check() {
      for (const table of tables) await run(queriesOf(table).probe, [])
    },
    async close() {
      await sql.end({ timeout: 1 })
    },
  }
}

class Overdue extends Error {}

async function withDeadline<T>(query: Promise<T> & { cancel?: () => void }, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Overdue(`no word from the server for ${ms} ms`)), ms)
  try {
    return await Promise.race([query, late])
  } catch (error) {
    if (error instanceof Overdue) query.cancel?.()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** query_canceled (by statement_timeout), lock_not_available. */
const LATE: ReadonlySet<unknown> = new Set(['57014', '55P03'])

function postgresFault(error: unknown, name: string): Refusal {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  const detail = `${name}: ${error instanceof Error ? error.message : 'unreadable'}`
  const slow = error instanceof Overdue || LATE.has(code)
  return refuse(slow ? 'source.slow' : 'source.unreachable', detail, error)
}

/** What differs between the two: how a value becomes text, and how a bound list of texts is asked. */
type Dialect = {
  readonly text: (column: string) => string
  readonly among: (expression: string, parameter: number) => string
}
const sqlite: Dialect = {
  text: column => `cast(${column} as text)`,
  among: (expression, parameter) => `${expression} in (select value from json_each(?${parameter}))`,
}
const postgresql: Dialect = {
  text: column => `${column}::text`,
  among: (expression, parameter) => `${expression} = any($${parameter}::text[])`,
}

type Queries = {
  /** Its first parameter is the list of key texts, the others are those of `bound`. */
  readonly select: string
  /** The key columns alone, of all rows; its parameters are those of `bound`. */
  readonly keys: string
  /** All texts of one of the key columns, as `text`. */
  readonly texts: (column: string) => string
  readonly bound: string[][]
  readonly newest: string | undefined
  readonly probe: string
}

function queriesFor({ table, columns, key, where, freshness }: Table, dialect: Dialect): Queries {
  const from = `from ${table.split('.').map(quoted).join('.')} t`
  const selected = (names: readonly string[]) =>
    names.map(column => `${dialect.text(named(column))} as ${quoted(column)}`).join(', ')
  const conditions = (first: number) => where.map((condition, i) => conditionOf(condition, first + i, dialect))
  const subject = `(${key.columns.map(column => dialect.among(named(column), 1)).join(' or ')})`
  return {
    select: `select ${selected(columns)} ${from} where ${[subject, ...conditions(2)].join(' and ')}`,
    keys: `select ${selected(key.columns)} ${from} where ${['true', ...conditions(1)].join(' and ')}`,
    texts: column => `select ${dialect.text(named(column))} as text ${from}`,
    bound: where.map(({ in: among, notIn, empty, none = [] }) =>
      empty === undefined ? [...(among ?? notIn ?? [])] : ['', ...none],
    ),
    newest: freshness && `select ${dialect.text(`max(${named(freshness.column)})`)} as newest ${from}`,
    probe: `select ${selected(columns)} ${from} limit 0`,
  }
}

function conditionOf({ column, in: among, empty }: Table['where'][number], parameter: number, dialect: Dialect) {
  const text = dialect.text(named(column))
  if (empty !== undefined) return `${empty ? '' : 'not '}${dialect.among(`coalesce(trim(${text}), '')`, parameter)}`
  const matches = dialect.among(text, parameter)
  return among === undefined ? `(${named(column)} is null or not (${matches}))` : matches
}

/** Behind an alias, a column that is not there is an error; bare, SQLite may take its quoted name for a text. */
function named(column: string): string {
  return `t.${quoted(column)}`
}

const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_$]{0,62}$/u

/** Names come from a checked mapping, and are checked again where they become SQL. Throws TypeError for any other name. */
function quoted(name: string): string {
  if (!IDENTIFIER.test(name)) throw new TypeError(`not a name for SQL: ${JSON.stringify(name)}`)
  return `"${name}"`
}
