import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { copyLedger } from '#ledger/copy.ts'
import { openLog } from '#ledger/log.ts'
import { openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { createLedger, openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { fill, mountVolume } from '../volume.ts'
import { answered, directory, execute, signedAnswer, tamper } from './sample.ts'

const { volume, mounted } = mountVolume()

describe.skipIf(!mounted)('a volume (skipped where a tmpfs cannot be mounted)', () => {
  test('that is full refuses, loses nothing that was promised, and serves again when there is room', async () => {
    const path = join(volume, 'ledger.db')
    const filler = join(volume, 'filler')
    createLedger(path, 'jiangyin')
    await using ledger = openLedger(path, 'jiangyin')
    const promised = []
    for (let round = 0; round < 2; round += 1) {
      const sample = answered()
      const receipt = await ledger.append(sample.entry, sample.evidence)
      promised.push(receipt)
      await ledger.writable()

      fill(filler)
      await expect(ledger.writable()).rejects.toMatchObject({ code: 'ledger.unavailable' })
      // The WAL may have some room of its own; then these are promises like any other.
      const refused = []
      while (refused.length < 100) {
        const samples = Array.from({ length: 40 }, () => answered())
        const results = await Promise.allSettled(samples.map(each => ledger.append(each.entry, each.evidence)))
        for (const [i, result] of results.entries()) {
          if (result.status === 'fulfilled') promised.push(result.value)
          else refused.push({ sample: samples[i], reason: result.reason })
        }
      }
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'ledger.unavailable' })
      // An answer signed before the disk was full waits for room.
      ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
      await expect(ledger.append(answered().entry)).rejects.toMatchObject({ code: 'ledger.unavailable' })
      expect(await ledger.count()).toBe(promised.length)
      for (const { sample } of refused) expect(ledger.seen('huizhou', sample?.entry.jti ?? '')).toBe(false)

      rmSync(filler)
      await ledger.writable()
      const again = refused[0]?.sample ?? answered()
      const next = await ledger.append(again.entry, again.evidence)
      expect(next.index).toBe(promised.length)
      promised.push(next)
    }
    expect(await ledger.count()).toBe(promised.length)
    expect(verifyLedger(path, { receipts: promised })).toMatchObject({ verified: true, entries: promised.length })
    expect(verifyLedger(path).signed).toBe(2)
  })

  test('that is nearly full is said to be so, while the WAL has room for the last entries', async () => {
    const path = join(volume, 'last.db')
    const filler = join(volume, 'filler')
    createLedger(path, 'jiangyin')
    await using ledger = openLedger(path, 'jiangyin')
    await Promise.all(Array.from({ length: 100 }, () => ledger.append(answered().entry)))
    execute(path, 'PRAGMA wal_checkpoint(RESTART)')
    fill(filler)
    expect((await ledger.append(answered().entry)).index).toBe(100)
    await expect(ledger.writable()).rejects.toThrow(/bytes free/)
    rmSync(filler)
    await ledger.writable()
  })

  test('that can only be read still lets its ledger be verified and copied with its log, and not opened', async () => {
    const path = join(volume, 'archive.db')
    createLedger(path, 'jiangyin')
    {
      await using ledger = openLedger(path, 'jiangyin')
      await ledger.append(answered().entry)
      await using store = await openLogStoreAt(path)
      const { privateKey: key } = generateKeyPairSync('ed25519')
      await openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now }).integrate()
    }
    const sealed = async (work: () => Promise<void>) => {
      execFileSync('mount', ['-o', 'remount,ro', volume])
      await work().finally(() => execFileSync('mount', ['-o', 'remount,rw', volume]))
    }
    await sealed(async () => {
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 1 })
      expect(() => openLedger(path, 'jiangyin')).toThrow('ledger.unavailable')
      const copy = join(directory(), 'copy.db')
      await copyLedger(path, copy)
      await using store = await openLogStoreAt(copy)
      expect((await store.newest())?.size).toBe(1)
    })
    tamper(path, db => db.exec(`UPDATE checkpoint SET note = 'no note'`))
    const found = { verified: false, faults: [{ name: 'checkpoint-broken', index: 1 }] }
    await sealed(async () => expect(await verifyLedgerAt(path)).toMatchObject(found))
    expect(await verifyLedgerAt(path)).toMatchObject(found)
  })
})
