import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLog } from '#ledger/log.ts'
import { openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { bringUp, STEPS } from '#ledger/tables.ts'
import { answered, directory, execute, newLedger, raw } from './sample.ts'

const { privateKey: key } = generateKeyPairSync('ed25519')

describe('a ledger that is verified', () => {
  test('has a fault where its log cannot be read', async () => {
    const path = newLedger()
    {
      await using ledger = await openLedgerAt(path, 'jiangyin')
      await ledger.append(answered().entry)
      await using store = await openLogStoreAt(path)
      await openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now }).integrate()
    }
    execute(path, 'DROP TABLE checkpoint')
    const { faults, verified } = await verifyLedgerAt(path)
    expect(verified).toBe(false)
    expect(faults.at(-1)).toMatchObject({ name: 'unreadable', detail: expect.stringContaining('checkpoint') })
  })

  test('has none for the want of a log where its version has none', async () => {
    const path = join(directory(), 'ledger.db')
    {
      using db = raw(path)
      bringUp(db, STEPS.slice(0, 1))
      db.exec(`INSERT INTO ledger VALUES (1, 'jiangyin', 'id', '2026-01-01T00:00:00.000Z');
        INSERT INTO probe VALUES (1, x''); PRAGMA journal_mode = WAL`)
    }
    expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 0 })
  })
})
