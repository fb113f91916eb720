/** Both engines of a ledger for one suite: whatever a test says of a ledger, it says of each. */
import postgres from 'postgres'
import { afterAll, beforeAll, describe } from 'vitest'
import { createLedgerAt } from '#ledger/open.ts'
import { type Server, startPostgres } from '../source/postgres.ts'
import { newLedger } from './sample.ts'

export type Engine = {
  readonly name: 'sqlite' | 'postgres'
  /** The place of a new ledger of Jiangyin. */
  make(): Promise<string>
  /** A place where none is yet. */
  room(): Promise<string>
  /** The server behind it; of the file, none. */
  server(): Server
}

/** Describes the same behaviour of each engine. One PostgreSQL serves the whole file, and each of its ledgers has a schema. */
export function describeEngines(body: (engine: Engine) => void): void {
  describe('sqlite', () => {
    const none = () => {
      throw new Error('a file has no server')
    }
    body({ name: 'sqlite', make: async () => newLedger(), room: async () => `${newLedger()}.other`, server: none })
  })
  describe('postgres', () => body(postgresEngine()))
}

/** A PostgreSQL that lives as long as the tests of the describe block around. */
export function postgresEngine(): Engine {
  let server: Server
  let schemas = 0
  beforeAll(async () => {
    server = await startPostgres()
  }, 120_000)
  afterAll(() => server.remove())
  const room = async () => {
    schemas += 1
    const schema = `ledger_${schemas}`
    const sql = postgres(server.url, { max: 1 })
    await sql.unsafe(`CREATE SCHEMA ${schema}`)
    await sql.end()
    return `${server.url}?search_path=${schema}`
  }
  const make = async () => {
    const place = await room()
    await createLedgerAt(place, 'jiangyin')
    return place
  }
  return { name: 'postgres', make, room, server: () => server }
}
