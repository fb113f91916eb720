import { createPrivateKey } from 'node:crypto'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { copyLedger } from '#ledger/copy.ts'
import { entryText, leafHash, nextLink } from '#ledger/entry.ts'
import { type Contradiction, openLog } from '#ledger/log.ts'
import { openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import type { Fault } from '#ledger/walk.ts'
import { newLogKey } from '#trust/keys.ts'
import type { Running } from '../federation.ts'
import { acquainted, against, grow, met, watched } from '../watched.ts'
import { answered, newLedger, signedAnswer, tamper } from './sample.ts'
import { put, rehash, remove, shift, take } from './tampering.ts'

const ENTRIES = 300

/** A ledger of answered questions with a log over all of them, as a gateway leaves it when it ends. */
async function filled(): Promise<string> {
  const path = newLedger()
  await using ledger = await openLedgerAt(path, 'jiangyin')
  await Promise.all(
    Array.from({ length: ENTRIES }, async () => {
      const sample = answered()
      const receipt = await ledger.append(sample.entry, sample.evidence)
      ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
    }),
  )
  await using store = await openLogStoreAt(path)
  const key = createPrivateKey(newLogKey())
  await openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now }).integrate()
  return path
}

/** What an owner does to the file of a ledger that shows it by itself: the name under which `ledger verify` finds it, and at which entry. */
const shown: [string, Fault['name'], number, (db: DatabaseSync) => void][] = [
  ['edit', 'edited', 2, db => db.exec(`UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 2`)],
  ['delete', 'gap', 2, db => remove(db, 2)],
  [
    'reorder',
    'reordered',
    2,
    db => {
      const [two, three] = [take(db, 2), take(db, 3)]
      db.exec('DELETE FROM entry WHERE ix IN (2, 3)')
      put(db, 2, three)
      put(db, 3, two)
    },
  ],
  [
    'insert',
    'reordered',
    3,
    db => {
      shift(db, 2, 1)
      const body = entryText(answered().entry)
      const { link } = take(db, 1)
      put(db, 2, { body, previous: link, link: nextLink(link, leafHash(body)) })
    },
  ],
  [
    'swapped evidence',
    'evidence-swapped',
    2,
    db => db.exec(`UPDATE evidence SET answer = (SELECT answer FROM evidence WHERE ix = 1) WHERE ix = 2`),
  ],
  ['missing tile', 'tile-missing', 0, db => db.exec('DELETE FROM tile WHERE level = 0 AND n = 0')],
  [
    'time turned back',
    'time-turned-back',
    ENTRIES,
    db => {
      // What a gateway records whose clock was set back, or one who backdates: everything else about it is as it should be.
      const { link } = take(db, ENTRIES - 1)
      const body = entryText(answered({ at: new Date(Date.now() - 3_600_000).toISOString() }).entry)
      put(db, ENTRIES, { body, previous: link, link: nextLink(link, leafHash(body)) })
    },
  ],
]

const fileOf = (running: Running) => running.federation.city('jiangyin').settings.ledger

function restore(running: Running, backup: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${fileOf(running)}${end}`, { force: true })
  copyFileSync(backup, fileOf(running))
}

/** Ends Jiangyin's gateway, copies its ledger, and starts it again. */
async function backedUp(running: Running): Promise<string> {
  await running.stop('jiangyin')
  const backup = `${fileOf(running)}.backup`
  copyFileSync(fileOf(running), backup)
  await running.start('jiangyin')
  return backup
}

/** Changes Jiangyin's ledger while nobody is there who could tell it, with a log that is made anew; then its peers come back. */
async function alone(running: Running, work: () => void): Promise<void> {
  for (const { id } of running.federation.cities) await running.stop(id)
  work()
  await running.start('jiangyin')
}

const forgetLog = 'DELETE FROM tile; DELETE FROM checkpoint'

/** What leaves a file that is whole in itself: the name under which the witnesses find it. */
const hidden: [string, Contradiction['name'], (running: Running) => Promise<void>][] = [
  [
    'truncate',
    'shortened',
    running =>
      alone(running, () =>
        tamper(fileOf(running), db => {
          const { n } = db.prepare('SELECT max(ix) AS n FROM entry').get() ?? {}
          for (const index of [0, 1]) remove(db, Number(n) - index)
          db.exec(forgetLog)
        }),
      ),
  ],
  [
    'rollback to a backup',
    'shortened',
    async running => {
      const backup = await backedUp(running)
      await grow(running, 'jiangyin', 3)
      await met(running, 'jiangyin')
      await alone(running, () => restore(running, backup))
    },
  ],
  [
    'edited database with fixed-up hashes',
    'rewritten',
    running =>
      alone(running, () =>
        tamper(fileOf(running), db => {
          db.exec(`${forgetLog}; DELETE FROM signed; DELETE FROM evidence`)
          db.exec(`UPDATE entry SET body = replace(json_remove(body, '$.heldUntil'), 'tendering', 'subsidies')`)
          rehash(db, 0)
        }),
      ),
  ],
  [
    'fork',
    'forked',
    async running => {
      // Huizhou has seen one history; Jimo, which was away, is shown another of the same length.
      const backup = await backedUp(running)
      await running.stop('jimo')
      await acquainted(running, 'jiangyin')
      const size = await grow(running, 'jiangyin', 3)
      await met(running, 'jiangyin')
      await running.stop('huizhou')
      await running.stop('jiangyin')
      restore(running, backup)
      await running.start('jimo')
      await running.start('jiangyin')
      const { ledger, log } = running.gateway('jiangyin').transparency
      for (let at = (await log.integrate()).size; at < size; at += 1) await ledger.append(answered().entry)
      await acquainted(running, 'jimo')
      await met(running, 'jiangyin')
    },
  ],
  [
    'replaced key',
    'replaced',
    running =>
      alone(running, () => {
        tamper(fileOf(running), db => db.exec(forgetLog))
        writeFileSync(join(running.federation.city('jiangyin').settings.keys, 'log.pem'), newLogKey())
      }),
  ],
]

describe('a ledger that was tampered with', () => {
  it('is known in twelve ways', () => {
    expect([...shown, ...hidden].map(([way]) => way).toSorted()).toEqual([
      ...['delete', 'edit', 'edited database with fixed-up hashes', 'fork', 'insert', 'missing tile', 'reorder'],
      ...['replaced key', 'rollback to a backup', 'swapped evidence', 'time turned back', 'truncate'],
    ])
  })

  it('and one that was not, are told apart', async () => {
    expect(await verifyLedgerAt(await filled())).toMatchObject({ verified: true, entries: ENTRIES })
  })

  it.each(shown)('by %s is found by `ledger verify`: %s', async (_, name, index, work) => {
    const path = await filled()
    tamper(path, work)
    const { faults } = await verifyLedgerAt(path)
    expect(faults[0]).toMatchObject({ name, index })
  })

  it('by a clock that was turned back, can yet be saved: what is in it is what was written', async () => {
    const path = await filled()
    const [, , , turn] = shown.find(([way]) => way === 'time turned back') ?? []
    tamper(path, db => turn?.(db))
    const { faults, entries } = await copyLedger(path, `${path}.backup`)
    expect([faults.map(({ name }) => name), entries]).toEqual([['time-turned-back'], ENTRIES + 1])
    await expect(copyLedger(path, `${path}.backup`)).rejects.toThrow('there already')
  })

  it.each(hidden)('by %s is found by a witness: %s', async (_, name, work) => {
    await using running = await watched()
    await grow(running, 'jiangyin', 4)
    await met(running)
    expect(await against(running, 'huizhou')).toEqual([])
    await work(running)
    // The file by itself shows nothing.
    expect(await verifyLedgerAt(fileOf(running))).toMatchObject({ verified: true, faults: [] })
    await running.start('huizhou')
    await acquainted(running, 'huizhou')
    await met(running, 'huizhou')
    expect(await against(running, 'huizhou')).toContain(`jiangyin ${name}`)
  })
})
