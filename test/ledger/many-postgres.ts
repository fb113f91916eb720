/** A ledger in PostgreSQL of any length, made past its functions and triggers; what stands there is what appending would have left. */
import { pipeline } from 'node:stream/promises'
import postgres from 'postgres'
import { type Entry, entryText, leafHash, nextLink, originLink } from '#ledger/entry.ts'
import { readIdentity } from '#ledger/postgres.ts'
import { words } from '#ledger/postgres-tables.ts'

const CHUNK = 50_000

/**
 * Fills an empty ledger whose owner connects with these entries, with right links and without evidence. Indexes are made when all
 * is there, then the tables are vacuumed, as they are where a ledger has grown for months.
 */
export async function fillPostgresLedger(
  url: string,
  count: number,
  at: (i: number) => Entry,
  progress?: (done: number) => void,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(
      `SET session_replication_role = 'replica'; SET synchronous_commit = off; SET maintenance_work_mem = '1GB'`,
    )
    let link = originLink(await readIdentity(sql))
    const indexes = await sql<{ name: string; text: string }[]>`
      SELECT indexname AS name, indexdef AS text FROM pg_indexes
        WHERE schemaname = current_schema() AND tablename = 'entry' AND indexname <> 'entry_pkey'`
    for (const { name } of indexes) await sql.unsafe(`DROP INDEX ${name}`)
    await sql.unsafe('ALTER TABLE subject DROP CONSTRAINT subject_pkey')
    for (let from = 0; from < count; from += CHUNK) {
      const entries: string[] = []
      const subjects: string[] = []
      for (let i = from; i < Math.min(count, from + CHUNK); i += 1) {
        const entry = at(i)
        const body = entryText(entry)
        const next = nextLink(link, leafHash(body))
        entries.push(line(String(i), body, hex(link), hex(next), ...wordsOf(entry)))
        const about = 'subjects' in entry ? (entry.subjects ?? []) : []
        for (const uscc of new Set(about)) subjects.push(line(uscc, String(i)))
        link = next
      }
      await copy(sql, `entry (ix, body, previous, link, ${words.join(', ')})`, entries)
      await copy(sql, 'subject (uscc, ix)', subjects)
      progress?.(from)
    }
    for (const { text } of indexes) await sql.unsafe(text)
    await sql.unsafe('ALTER TABLE subject ADD PRIMARY KEY (segment, uscc, ix)')
    await sql.unsafe('VACUUM ANALYZE')
    await sql.unsafe('CHECKPOINT')
  } finally {
    await sql.end()
  }
}

async function copy(sql: postgres.Sql, into: string, lines: readonly string[]): Promise<void> {
  await pipeline([lines.join('')], await sql.unsafe(`COPY ${into} FROM STDIN`).writable())
}

/** What is searched, as the trigger takes it from the text. */
function wordsOf(entry: Entry): (string | undefined)[] {
  const said: Readonly<Record<string, unknown>> = entry
  const outcomes: Readonly<Record<string, unknown>> = {
    answered: 'answered',
    refused: 'refused',
    declined: 'refused',
    outcome: said['outcome'],
  }
  return words.map(word => {
    const value = word === 'outcome' ? outcomes[entry.kind] : said[word]
    return typeof value === 'string' ? value : undefined
  })
}

function hex(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`
}

/** A row in PostgreSQL's text format for COPY. */
function line(...cells: readonly (string | undefined)[]): string {
  const escaped = cells.map(cell =>
    cell === undefined
      ? '\\N'
      : cell.replace(/[\\\n\r\t]/g, sign => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[sign] ?? '\\\\'),
  )
  return `${escaped.join('\t')}\n`
}
