/** Tables in SQLite or PostgreSQL, read and never written: one prepared query for a table, by key, for all subjects of a question. */
import { statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import postgres from 'postgres'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import { attributed, keyTexts, type Row, type Source, type Table } from './source.ts'

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
  const queries = new Map(tables.map(table => [table, queriesFor(table, sqlite)]))
  const queriesOf = (table: Table) => queries.get(table) ?? queriesFor(table, sqlite)

  return {
    name,
    tables,
    async read(table, subjects) {
      const texts = keyTexts(table.key, subjects)
      const { select, selectOne, bound } = queriesOf(table)
      const [only = ''] = texts.keys()
      const conditions = bound.map(words => JSON.stringify(words))
      const rows = attempt(() =>
        // Most questions are about one subject, and have no list to unpack.
        texts.size === 1
          ? statement(selectOne).all(only, ...conditions)
          : statement(select).all(JSON.stringify([...texts.keys()]), ...conditions),
      )
      return attributed(table, asTexts(rows, name), texts)
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

  return {
    name,
    tables,
    async read(table, subjects) {
      const texts = keyTexts(table.key, subjects)
      const { select, bound } = queriesOf(table)
      return attributed(table, await run(select, [[...texts.keys()], ...bound]), texts)
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
  readonly is: (expression: string, parameter: number) => string
}
const sqlite: Dialect = {
  text: column => `cast(${column} as text)`,
  among: (expression, parameter) => `${expression} in (select value from json_each(?${parameter}))`,
  is: (expression, parameter) => `${expression} = ?${parameter}`,
}
const postgresql: Dialect = {
  text: column => `${column}::text`,
  among: (expression, parameter) => `${expression} = any($${parameter}::text[])`,
  is: (expression, parameter) => `${expression} = $${parameter}`,
}

type Queries = {
  /** Its first parameter is the list of key texts, the others are those of `bound`. */
  readonly select: string
  /** The same for one key text. */
  readonly selectOne: string
  readonly bound: readonly string[][]
  readonly newest: string | undefined
  readonly probe: string
}

function queriesFor(table: Table, dialect: Dialect): Queries {
  const from = `from ${table.table.split('.').map(quoted).join('.')} t`
  const columns = table.columns.map(column => `${dialect.text(named(column))} as ${quoted(column)}`).join(', ')
  const keys = (matches: Dialect['is']) => table.key.columns.map(column => matches(named(column), 1)).join(' or ')
  const bound: string[][] = []
  const conditions = table.where.map(({ column, in: among, notIn, empty, none = [] }) => {
    const text = dialect.text(named(column))
    if (empty !== undefined) {
      const trimmed = `coalesce(trim(${text}), '')`
      bound.push(['', ...none])
      return `${empty ? '' : 'not '}${dialect.among(trimmed, bound.length + 1)}`
    }
    bound.push([...(among ?? notIn ?? [])])
    const matches = dialect.among(text, bound.length + 1)
    return among === undefined ? `(${named(column)} is null or not (${matches}))` : matches
  })
  const { freshness } = table
  return {
    select: `select ${columns} ${from} where ${[`(${keys(dialect.among)})`, ...conditions].join(' and ')}`,
    selectOne: `select ${columns} ${from} where ${[`(${keys(dialect.is)})`, ...conditions].join(' and ')}`,
    bound,
    newest: freshness && `select ${dialect.text(`max(${named(freshness.column)})`)} as newest ${from}`,
    probe: `select ${columns} ${from} limit 0`,
  }
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
