/** Connections to PostgreSQL that wait for nobody without end, and keep apart what the server said and what became of the line. */
import postgres from 'postgres'
import { Refusal, refuse } from '#protocol/refusal.ts'

export type Connection = postgres.Sql

/** How long the server may take over a statement, and how much longer we listen to a network that says nothing; ms. */
const STATEMENT = 3_000
const SILENCE = 1_000

type Session = Readonly<Record<string, string | number | boolean>>

/** So many connections as a ledger needs them, made when they are. */
export function connect(url: string, max: number, session: Session = {}, pipeline = 0): Connection {
  return postgres(url, {
    max,
    // One query at a time on each connection: src/source/sql.ts says why. The option is real, though its types do not know it.
    ...{ max_pipeline: pipeline },
    fetch_types: false,
    connect_timeout: 2,
    // Kept: a connection that leads has to stay, and none costs much.
    idle_timeout: 0,
    max_lifetime: null,
    // A pause before the next attempt would outlast the fault; every question is an attempt, and bounded.
    backoff: () => 0,
    onnotice: () => {},
    connection: {
      application_name: 'xinqiao-ledger',
      synchronous_commit: 'on',
      // A search is planned for what it looks for, and is over before a compiler would have begun.
      plan_cache_mode: 'force_custom_plan',
      jit: 'off',
      statement_timeout: STATEMENT,
      lock_timeout: STATEMENT,
      idle_in_transaction_session_timeout: STATEMENT,
      ...session,
    },
  })
}

class Overdue extends Error {}

/** Connections that are given up when nothing is heard over them: what is asked next goes over new ones. */
export function openLine(url: string, max: number, session: Session = {}) {
  let sql = connect(url, max, session)
  return {
    /** Rejects with what the server said, or what became of the connection. */
    async ask<T>(question: (sql: Connection) => Promise<T>): Promise<T> {
      const used = sql
      const { promise: late, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Overdue('no word from the server')), STATEMENT + SILENCE)
      try {
        return await Promise.race([question(used), late])
      } catch (fault) {
        if (fault instanceof Overdue && used === sql) {
          sql = connect(url, max, session)
          used.end({ timeout: 0 }).catch(() => {})
        }
        throw fault
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => sql.end({ timeout: 1 }),
  }
}

function codeOf(fault: unknown): string {
  return typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : ''
}

/** Said by the server of this very statement, which it has undone. A server that ends the session (57P01 and its like) says nothing of it. */
export function isAnswer(fault: unknown): boolean {
  return fault instanceof postgres.PostgresError && fault.severity_local !== 'FATAL' && !codeOf(fault).startsWith('57P')
}

/** False where the statement surely did not reach the server. */
export function mayHaveBeenDone(fault: unknown): boolean {
  const never = [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EHOSTUNREACH',
    'CONNECT_TIMEOUT',
    'CONNECTION_ENDED',
    '57P03',
    '53300',
    '28P01',
    '28000',
    '3D000',
  ]
  return !never.includes(codeOf(fault))
}

/** Whatever went wrong, as the refusal that it means. It has no cause: an error of PostgreSQL carries the texts it was about. */
export function unavailable(fault: unknown): Refusal {
  if (fault instanceof Refusal) return fault
  const said = fault instanceof Error && fault.message !== '' ? fault.message : codeOf(fault)
  return refuse('ledger.unavailable', `PostgreSQL: ${said}`)
}
