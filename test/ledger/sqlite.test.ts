import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Ledger } from '#ledger/ledger.ts'
import { createLedger, openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { answered, directory, execute, newLedger, raw, tamper } from './sample.ts'

function appendSample(ledger: Ledger, sample = answered()) {
  return ledger.append(sample.entry, sample.evidence)
}

test('a ledger that another program keeps locked refuses, and serves again when it lets go', async () => {
  const path = newLedger()
  await using ledger = openLedger(path, 'jiangyin')
  using other = raw(path)
  other.exec('BEGIN IMMEDIATE')
  await expect(appendSample(ledger)).rejects.toMatchObject({ code: 'ledger.unavailable' })
  await expect(ledger.writable()).rejects.toMatchObject({ code: 'ledger.unavailable' })
  other.exec('ROLLBACK')
  await ledger.writable()
  expect((await appendSample(ledger)).index).toBe(0)
})

test('a group that has to wait for another process holds up nothing else, and is written when the lock is free', async () => {
  const path = newLedger()
  await using ledger = openLedger(path, 'jiangyin')
  using other = raw(path)
  other.exec('BEGIN IMMEDIATE')
  const appended = appendSample(ledger)
  // Timers come in time meanwhile: a process that slept for the lock would be far behind with these.
  let longest = 0
  for (let i = 0; i < 20; i++) {
    const began = performance.now()
    await new Promise(resolve => setTimeout(resolve, 5))
    longest = Math.max(longest, performance.now() - began)
  }
  expect(longest).toBeLessThan(150)
  other.exec('ROLLBACK')
  expect((await appended).index).toBe(0)
})

test('a group that breaks in the middle leaves nothing, and the next one stands in its place', async () => {
  const path = newLedger()
  await using ledger = openLedger(path, 'jiangyin')
  using other = raw(path)
  other.exec(`CREATE TRIGGER break BEFORE INSERT ON evidence WHEN NEW.question = 'breaks'
    BEGIN SELECT raise(ABORT, 'broken'); END`)
  const breaking = { ...answered(), evidence: { question: 'breaks', answer: '{}' } }
  const group = [answered(), breaking, answered()]
  for (const result of await Promise.allSettled(group.map(sample => appendSample(ledger, sample)))) {
    expect(result).toMatchObject({ reason: { code: 'ledger.unavailable' } })
  }
  expect(await ledger.count()).toBe(0)
  expect((await appendSample(ledger, group[0])).index).toBe(0)
  other.exec('DROP TRIGGER break')
  expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 1, evidence: 1 })
})

describe('a ledger is begun once', () => {
  test('and not by opening what is not there', () => {
    const path = join(directory(), 'ledger.db')
    expect(() => openLedger(path, 'jiangyin')).toThrow(/no ledger at/)
    expect(existsSync(path)).toBe(false)
  })

  test('and not where one is, or where its traces are', () => {
    const path = newLedger()
    expect(() => createLedger(path, 'jiangyin')).toThrow(/there already/)
    const other = join(directory(), 'ledger.db')
    writeFileSync(`${other}-wal`, 'x')
    expect(() => createLedger(other, 'jiangyin')).toThrow(/there already/)
  })

  test('although an earlier beginning was cut off', () => {
    const path = join(directory(), 'ledger.db')
    writeFileSync(`${path}.new`, 'half a file')
    createLedger(path, 'jiangyin')
    expect(readdirSync(dirname(path))).toEqual(['ledger.db'])
    expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 0 })
  })

  test('and belongs to one city', () => {
    expect(() => openLedger(newLedger(), 'huizhou')).toThrow(/the ledger of jiangyin/)
  })

  test('and is not continued from an entry that was changed', async () => {
    const path = newLedger()
    {
      await using ledger = openLedger(path, 'jiangyin')
      await appendSample(ledger)
    }
    tamper(path, db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending')`))
    expect(() => openLedger(path, 'jiangyin')).toThrow(/last entry was changed/)
  })

  test('and is not opened when a trigger is gone, or the file is something else', () => {
    const path = newLedger()
    execute(path, 'DROP TRIGGER entry_not_updated')
    expect(() => openLedger(path, 'jiangyin')).toThrow(/entry_not_updated is missing/)
    const other = join(directory(), 'ledger.db')
    writeFileSync(other, 'not a database, but long enough to be looked at as if it were one'.repeat(100))
    expect(() => openLedger(other, 'jiangyin')).toThrow('ledger.unavailable')
  })
})
