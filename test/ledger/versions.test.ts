import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { openLedger } from '#ledger/sqlite.ts'
import { bringUp, integer, newerThanUs, STEPS, schemaFaults } from '#ledger/tables.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { sha256 } from '#protocol/canonical.ts'
import { answered, directory, execute, newLedger, raw } from './sample.ts'

/** What some later program may add. */
const later = [...STEPS, ['CREATE TABLE note (ix INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT']]

function version(db: DatabaseSync): number {
  return integer(db.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** A ledger of today with an entry, at rest. */
async function today(): Promise<string> {
  const path = newLedger()
  await using ledger = openLedger(path, 'jiangyin')
  const { entry, evidence } = answered()
  await ledger.append(entry, evidence)
  return path
}

/** A file as the first program made it, whatever this program's version is. */
function first(): string {
  const path = join(directory(), 'ledger.db')
  using db = raw(path)
  bringUp(db, STEPS.slice(0, 1))
  db.exec(`INSERT INTO ledger VALUES (1, 'jiangyin', 'id', '2026-01-01T00:00:00.000Z');
    INSERT INTO probe VALUES (1, x''); PRAGMA journal_mode = WAL`)
  return path
}

describe('a step that some ledger has had', () => {
  // A digest that fails here means that every ledger in the field would be refused: add a step instead.
  test.each([
    [1, 'B3EfR_Myxaw_rAVNCT8MvAK6swfCuSOjrzHex-s8VcY'],
    [2, 'WgXrFUmQcsDH7NFNk1VHqXNf0NJWXql-57KrNz1HIhg'],
  ])('is never edited: %i', (n, digest) => {
    expect(sha256(STEPS[n - 1]?.join(';') ?? '')).toBe(digest)
  })
})

describe('a ledger of an earlier version', () => {
  test('of version 1 is opened, goes on, and verifies', async () => {
    const path = first()
    expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 0 })
    {
      await using ledger = openLedger(path, 'jiangyin')
      const { entry, evidence } = answered()
      expect((await ledger.append(entry, evidence)).index).toBe(0)
    }
    expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 1, evidence: 1 })
    using db = raw(path)
    expect(version(db)).toBe(STEPS.length)
  })

  test('is held to its own tables, and brought up to those of a new one', async () => {
    const path = await today()
    using db = raw(path)
    expect(schemaFaults(db, later)).toEqual([])
    bringUp(db, later)
    expect(version(db)).toBe(STEPS.length + 1)
    expect(schemaFaults(db, later)).toEqual([])
    using fresh = new DatabaseSync(':memory:')
    bringUp(fresh, later)
    expect(schemaFaults(fresh, later)).toEqual([])
    bringUp(db, later)
    expect(version(db)).toBe(STEPS.length + 1)
    db.exec('DROP TABLE note')
    expect(schemaFaults(db, later)).toEqual(['table note is missing'])
  })

  test('stays as it was when a step fails', async () => {
    const path = await today()
    {
      using db = raw(path)
      expect(() => bringUp(db, [...later, ['CREATE TABLE note (one)']])).toThrow(/already exists/)
      expect(version(db)).toBe(STEPS.length)
      expect(schemaFaults(db)).toEqual([])
    }
    expect(verifyLedger(path).verified).toBe(true)
  })

  test('takes appends of the program that was there before the step', async () => {
    const path = await today()
    await using ledger = openLedger(path, 'jiangyin')
    using db = raw(path)
    bringUp(db, later)
    expect((await ledger.append(answered().entry)).index).toBe(1)
  })
})

describe('a ledger of a later version', () => {
  test('is refused with the reason, and left as it is', async () => {
    const path = await today()
    execute(path, `PRAGMA user_version = ${STEPS.length + 1}`)
    expect(() => openLedger(path, 'jiangyin')).toThrow(
      `of version ${STEPS.length + 1} and this program knows version ${STEPS.length}`,
    )
    expect(verifyLedger(path)).toMatchObject({
      verified: false,
      entries: 0,
      faults: [{ name: 'version-unknown', detail: expect.stringMatching(/use the program that wrote it/) }],
    })
    using db = raw(path)
    expect(newerThanUs(db, later)).toBeUndefined()
    expect(version(db)).toBe(STEPS.length + 1)
  })

  test('or of none is refused too', () => {
    const path = first()
    execute(path, 'PRAGMA user_version = 0')
    expect(() => openLedger(path, 'jiangyin')).toThrow(/has no version/)
    expect(verifyLedger(path).faults).toMatchObject([{ name: 'schema-changed', detail: 'the file has no version' }])
  })
})
