import { generateKeyPairSync } from 'node:crypto'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cosign, cosignerKey, logKey, readNote, readSigned } from '#ledger/checkpoint.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { openLog, type Witnessed } from '#ledger/log.ts'
import { auditLog } from '#ledger/log-audit.ts'
import { createLedgerAt, openLedgerAt, openLogStoreAt, verifyLedgerAt } from '#ledger/open.ts'
import { proofOf } from '#ledger/proof.ts'
import { openLogStore } from '#ledger/sqlite-log.ts'
import { emptyRoot, HASH_LENGTH, provesConsistency, provesInclusion, TILE_WIDTH } from '#ledger/tree.ts'
import { describeEngines } from './engines.ts'
import { answered, newLedger, raw, tamper } from './sample.ts'
import { provenBy } from './tlog-proof.ts'

const { privateKey: key } = generateKeyPairSync('ed25519')

async function logged(path = newLedger()) {
  const ledger = await openLedgerAt(path, 'jiangyin')
  onTestFinished(() => ledger.close())
  const again = async () => {
    const store = await openLogStoreAt(path)
    onTestFinished(() => store[Symbol.asyncDispose]())
    return openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now })
  }
  return { path, ledger, log: await again(), again }
}

async function grow(ledger: Ledger, count: number): Promise<Uint8Array[]> {
  const receipts = await Promise.all(
    Array.from({ length: count }, () => {
      const { entry, evidence } = answered()
      return ledger.append(entry, evidence)
    }),
  )
  return receipts.map(({ leaf }) => Buffer.from(leaf, 'base64url'))
}

describeEngines(engine => {
  describe('the log of a ledger', () => {
    it('begins with the checkpoint of an empty tree', async () => {
      const { log } = await logged(await engine.make())
      expect(await log.newest()).toBeUndefined()
      expect(await log.integrate()).toMatchObject({ size: 0, root: emptyRoot, origin: log.origin })
      expect(await log.integrate()).toEqual(await log.newest())
    })

    it('follows its entries: whatever was appended can be proved, and every checkpoint grew out of those before', async () => {
      const { ledger, log } = await logged(await engine.make())
      const leaves: Uint8Array[] = []
      const checkpoints = [await log.integrate()]
      for (const count of [1, 2, 252, 1, 1, 300]) {
        leaves.push(...(await grow(ledger, count)))
        checkpoints.push(await log.integrate())
      }
      const last = await log.integrate()
      expect(last.size).toBe(557)
      for (const index of [0, 1, 254, 255, 256, 300, 556]) {
        const tree = { start: 0, end: last.size, root: last.root }
        expect(provesInclusion(leaves[index] ?? emptyRoot, index, tree, await log.inclusion(index, last.size))).toBe(
          true,
        )
      }
      for (const { size, root } of checkpoints.slice(1)) {
        expect(Buffer.compare(await log.rootAt(size), root)).toBe(0)
        const proof = await log.consistency(size, last.size)
        expect(provesConsistency({ start: 0, end: size, root }, last, proof)).toBe(true)
      }
      await expect(log.inclusion(0, 558)).rejects.toThrow(RangeError)
      await expect(log.consistency(1, 558)).rejects.toThrow(RangeError)
    })

    it('gives tiles of leaf hashes, cut off where they are not full', async () => {
      const { ledger, log } = await logged(await engine.make())
      const leaves = await grow(ledger, 300)
      await log.integrate()
      const full = await log.tile({ level: 0, n: 0 }, TILE_WIDTH)
      expect(full && Buffer.compare(full, Buffer.concat(leaves.slice(0, 256)))).toBe(0)
      const partial = await log.tile({ level: 0, n: 1 }, 44)
      expect(partial && Buffer.compare(partial, Buffer.concat(leaves.slice(256)))).toBe(0)
      expect(await log.tile({ level: 1, n: 0 }, 1)).toHaveLength(HASH_LENGTH)
      expect(await log.tile({ level: 0, n: 1 }, 45)).toBeUndefined()
      expect(await log.tile({ level: 0, n: 2 }, 1)).toBeUndefined()
      expect(await log.tile({ level: 1, n: 0 }, 2)).toBeUndefined()
    })

    it('has one checkpoint of each size, however many processes integrate it', async () => {
      const { ledger, log, again } = await logged(await engine.make())
      const others = [log, await again(), await again()]
      const seen = new Map<number, string>()
      for (let round = 0; round < 20; round += 1) {
        await grow(ledger, 7)
        for (const { size, note } of await Promise.all(others.map(each => each.integrate()))) {
          expect(seen.get(size) ?? note).toBe(note)
          seen.set(size, note)
        }
      }
      expect((await log.newest())?.size).toBe(Math.max(...seen.keys()))
    })

    it('proves an entry in one text, by the newest checkpoint that was cosigned', async () => {
      const place = await engine.make()
      const { ledger, log } = await logged(place)
      await using store = await openLogStoreAt(place)
      const [leaf = emptyRoot, other = emptyRoot] = await grow(ledger, 3)
      await expect(proofOf(store, 0)).rejects.toThrow(RangeError)
      const first = await log.integrate()
      const witness = generateKeyPairSync('ed25519')
      const line = cosign(first, 'xinqiao/huizhou/witness', witness.privateKey, 1_800_000_000)
      await log.cosigned(first.size, [line])
      await grow(ledger, 2)
      const second = await log.integrate()

      const text = await proofOf(store, 0)
      expect(text.startsWith('c2sp.org/tlog-proof@v1\nindex 0\n')).toBe(true)
      expect(provenBy(text, leaf, log.keys.log)).toMatchObject({ index: 0, size: first.size, note: first.note + line })
      expect(provenBy(await proofOf(store, 4), leaf, log.keys.log)).toBe('unproved')
      expect((await proofOf(store, 4)).endsWith(second.note)).toBe(true)
      expect(provenBy(text, other, log.keys.log)).toBe('unproved')
      expect(provenBy(text.replace('index 0', 'index 1'), leaf, log.keys.log)).toBe('unproved')
      expect(provenBy(text.replace('\n3\n', '\n4\n'), leaf, log.keys.log)).toBe('unsigned')
      expect(provenBy(text, leaf, logKey('xinqiao/huizhou/1', witness.publicKey))).toBe('foreign')
      for (const bad of ['', text.slice(1), text.replace('index 0', 'index 00'), text.replace('\n\n', '\n')]) {
        expect(provenBy(bad, leaf, log.keys.log)).toBe('malformed')
      }
    })

    it('keeps the cosignatures of a checkpoint beside it, each once', async () => {
      const { ledger, log } = await logged(await engine.make())
      await grow(ledger, 3)
      const checkpoint = await log.integrate()
      const witness = generateKeyPairSync('ed25519')
      const line = cosign(checkpoint, 'xinqiao/huizhou/witness', witness.privateKey, 1_800_000_000)
      await log.cosigned(checkpoint.size, [line])
      await log.cosigned(checkpoint.size, [line])
      const note = (await log.newest())?.note ?? ''
      expect(note).toBe(checkpoint.note + line)
      expect(readSigned(note, cosignerKey('xinqiao/huizhou/witness', witness.publicKey))).toBe('foreign')
    })

    it('keeps one line of each witness, nothing that is none, and not more than a note may have', async () => {
      const { ledger, log } = await logged(await engine.make())
      await grow(ledger, 3)
      const checkpoint = await log.integrate()
      const { privateKey } = generateKeyPairSync('ed25519')
      const by = (city: string, second: number) => cosign(checkpoint, `xinqiao/${city}/witness`, privateKey, second)
      const own = checkpoint.note.slice(checkpoint.note.lastIndexOf('— '))
      const first = by('huizhou', 1_800_000_000)
      const others = [
        '',
        'garbage',
        '\n\n',
        first.slice(0, -1),
        `${first}${first}`,
        own,
        own.replace(/.{3}\n$/, 'A==\n'),
      ]
      await log.cosigned(checkpoint.size, [...others, first, by('huizhou', 1_800_000_001)])
      await log.cosigned(checkpoint.size, [by('huizhou', 1_800_000_002)])
      expect((await log.newest())?.note).toBe(checkpoint.note + first)
      await log.cosigned(
        checkpoint.size,
        Array.from({ length: 1_100 }, (_, i) => by(`c${i}`, 1)),
      )
      expect(readNote((await log.newest())?.note ?? '')?.signatures).toHaveLength(1_024)
    })
  })

  describe('what is kept of other logs', () => {
    const row = { city: 'huizhou', origin: 'xinqiao/huizhou/1', key: 'k', size: 0, note: '', at: 'a' }

    it('is the newest of each city, which only grows', async () => {
      const { path } = await logged(await engine.make())
      await using store = await openLogStoreAt(path)
      await store.know(row)
      expect(await store.witness({ ...row, size: 5, note: 'five' }, 0)).toBe(true)
      expect(await store.witness({ ...row, size: 9, note: 'nine' }, 0)).toBe(false)
      expect(await store.witness({ ...row, city: 'ningbo', size: 9, note: 'nine' }, 0)).toBe(false)
      expect(await store.witnessed()).toEqual([{ ...row, size: 5, note: 'five' }])
    })

    it('becomes another only when somebody acknowledges a replacement, and never holds less of a log than before', async () => {
      const { path } = await logged(await engine.make())
      await using store = await openLogStoreAt(path)
      const five = { ...row, size: 5, note: 'five' }
      const other = 'xinqiao/huizhou/2'
      await store.know(five)
      const known = async (rows: readonly Witnessed[]) => {
        for (const each of rows) await store.know(each)
        return store.witnessed()
      }
      const more = [row, { ...row, key: 'l' }, { ...five, size: 6 }, { ...five, origin: other, key: 'l', size: 9 }]
      expect(await known(more)).toEqual([five])
      const replaced = { city: 'huizhou', name: 'replaced', held: 'k', found: 'l', detail: 'd', at: 'a' } as const
      await store.contradict(replaced)
      expect(await known(more)).toEqual([five])

      const acknowledged = { by: '王某', at: 'c' }
      let seen = 1
      const follow = async (origin: string, key: string) => {
        expect(await store.acknowledge('huizhou', seen, acknowledged, { origin, key })).toBe(1)
        seen += 1
        await store.contradict(replaced)
        return store.witnessed()
      }
      expect(await follow(row.origin, 'l')).toEqual([{ ...five, key: 'l' }])
      expect(await follow(other, 'm')).toEqual([{ ...row, origin: other, key: 'm', at: 'c' }])
      expect(await store.witness({ ...row, size: 2, note: 'two' }, 0)).toBe(true)
      expect(await follow(row.origin, 'k')).toEqual([five])
      expect(await follow(other, 'm')).toEqual([{ ...row, origin: other, key: 'm', size: 2, note: 'two' }])

      // What was acknowledged once, or is another contradiction, lets no other log in.
      expect(await store.acknowledge('huizhou', seen, acknowledged)).toBe(1)
      await store.contradict({ ...replaced, name: 'forked' })
      expect(await store.acknowledge('huizhou', seen + 1, acknowledged, { origin: row.origin, key: 'k' })).toBe(1)
      expect(await store.witnessed()).toMatchObject([{ origin: other, size: 2 }])
    })

    it('is acknowledged as far as it was seen, and nothing that came after', async () => {
      const { path } = await logged(await engine.make())
      await using store = await openLogStoreAt(path)
      const found = { city: 'huizhou', held: 'h', found: 'f', detail: 'd', at: 'a' }
      await store.know(row)
      await store.contradict({ ...found, name: 'forked' })
      await store.contradict({ ...found, name: 'forked', city: 'suzhou' })
      await store.contradict({ ...found, name: 'rewritten' })
      const by = async (person: string, seen: number) => {
        const published = { origin: 'xinqiao/huizhou/2', key: 'l' }
        const count = await store.acknowledge('huizhou', seen, { by: person, at: 'c' }, published)
        return [count, ...(await store.contradictions('huizhou')).map(each => each.acknowledged?.by)]
      }
      expect(await by('王某', 0)).toEqual([0, undefined, undefined])
      expect(await by('王某', 1)).toEqual([1, '王某', undefined])
      await store.contradict({ ...found, name: 'replaced' })
      expect(await by('李某', 2)).toEqual([1, '王某', '李某', undefined])
      expect(await by('周某', 2)).toEqual([0, '王某', '李某', undefined])
      expect(await store.witnessed()).toEqual([row])
      expect(await by('周某', 9)).toEqual([1, '王某', '李某', '周某'])
      expect(await store.witnessed()).toMatchObject([{ origin: 'xinqiao/huizhou/2', size: 0 }])
      expect(await store.contradictions('suzhou')).toEqual([{ ...found, name: 'forked', city: 'suzhou' }])
    })

    it.skipIf(engine.name === 'sqlite')('is not lowered by a gateway’s role, whatever it calls', async () => {
      const place = await engine.room()
      const owner = postgres(place, { max: 1 })
      onTestFinished(() => owner.end())
      await owner.unsafe(`CREATE ROLE witness LOGIN PASSWORD 'w'`)
      await createLedgerAt(place, 'jiangyin', 'witness')
      const granted = place.replace('postgres:test@', 'witness:w@')
      await using store = await openLogStoreAt(granted)
      await store.know({ ...row, size: 5, note: 'five' })
      const sql = postgres(granted, { max: 1 })
      onTestFinished(() => sql.end())
      const record = `SELECT record_contradiction('huizhou', 'replaced', 'k', 'l', 'd', 'a')`
      const known = (origin: string, size: number) =>
        `SELECT know_log('huizhou', 'xinqiao/huizhou/${origin}', 'k', ${size}, '', 'a')`
      const acknowledged = (one: string, origin: string) =>
        `SELECT acknowledge_contradictions('huizhou', 99, ${one}, 'a', 'xinqiao/huizhou/${origin}', 'k')`
      const held = async (...texts: string[]) => {
        for (const text of texts) await sql.unsafe(text)
        return (await store.witnessed()).map(({ origin, size }) => `${origin} ${size}`)
      }
      expect(await held(known('1', 0), known('2', 9))).toEqual(['xinqiao/huizhou/1 5'])
      expect(await held(record, known('1', 0), known('2', 0))).toEqual(['xinqiao/huizhou/1 5'])
      await expect(held(acknowledged('NULL', '2'))).rejects.toThrow('a contradiction does not change')
      expect(await held(acknowledged(`'x'`, '1'))).toEqual(['xinqiao/huizhou/1 5'])
      expect(await held(record, acknowledged(`'x'`, '2'))).toEqual(['xinqiao/huizhou/2 0'])
      expect(await held(record, acknowledged(`'x'`, '1'))).toEqual(['xinqiao/huizhou/1 5'])
      await expect(held(`UPDATE witnessed SET size = 4`)).rejects.toThrow('permission denied')
      await expect(held(`INSERT INTO witnessed SELECT 9, city, origin, key, 0, '', at FROM witnessed`)).rejects.toThrow(
        'permission denied',
      )
    })

    it('holds of another city one contradiction of a name at a time, and of our own each', async () => {
      const { path } = await logged(await engine.make())
      await using store = await openLogStoreAt(path)
      const found = { name: 'forked', found: 'f', detail: 'd', at: 'a' } as const
      for (const held of ['1', '2', '3']) {
        expect(await store.contradict({ ...found, city: 'huizhou', held })).toBe(held === '1')
        expect(await store.contradict({ ...found, city: 'jiangyin', held })).toBe(true)
      }
      expect(await store.contradict({ ...found, city: 'huizhou', name: 'rewritten', held: '1' })).toBe(true)
      expect(await store.contradictions()).toHaveLength(5)
      expect((await store.contradictions('jiangyin')).map(({ held }) => held)).toEqual(['1', '2', '3'])
      await store.acknowledge('huizhou', 2, { by: '王某', at: 'c' })
      expect(await store.contradict({ ...found, city: 'huizhou', held: '1' })).toBe(false)
      expect(await store.contradict({ ...found, city: 'huizhou', held: '2' })).toBe(true)
    })

    it('holds each contradiction once, until and after it is acknowledged', async () => {
      const { path } = await logged(await engine.make())
      await using store = await openLogStoreAt(path)
      const found = { city: 'huizhou', name: 'forked', held: 'h', found: 'f', detail: 'd', at: 'a' } as const
      expect(await store.contradict(found)).toBe(true)
      expect(await store.contradict({ ...found, found: 'g', at: 'b' })).toBe(false)
      expect(await store.contradictions()).toEqual([found])
      expect(await store.acknowledge('huizhou', 1, { by: '王某', at: 'c' })).toBe(1)
      expect(await store.acknowledge('huizhou', 1, { by: '王某', at: 'd' })).toBe(0)
      expect(await store.contradictions()).toEqual([{ ...found, acknowledged: { by: '王某', at: 'c' } }])
      expect(await store.contradict(found)).toBe(false)
    })
  })
})

describe('the log of a file', () => {
  it('reads its own note, whatever was written behind its own signature', async () => {
    const { path, log } = await logged()
    const { note } = await log.integrate()
    const junk = `\n\nno line\n${note.slice(note.lastIndexOf('— ')).replace(/.{3}\n$/, 'A==\n')}no line`
    {
      using db = raw(path)
      db.prepare('UPDATE checkpoint SET note = note || ?').run(junk)
    }
    expect((await log.newest())?.note).toBe(note)
    expect((await log.integrate()).note).toBe(note)
  })

  it('signs nothing more once an entry that it signed for is another', async () => {
    const { path, ledger, log } = await logged()
    await grow(ledger, 10)
    await log.integrate()
    {
      using db = raw(path)
      db.exec(
        `DROP TRIGGER entry_not_updated; UPDATE entry SET body = replace(body, 'bidding', 'binding') WHERE ix = 4`,
      )
    }
    await grow(ledger, 1)
    await expect(log.integrate()).rejects.toThrow(
      'ledger.contradicted: the entries are not those of the checkpoint of 10',
    )
  })

  it('signs nothing more once entries are missing that it signed for', async () => {
    const { path, ledger, log } = await logged()
    await grow(ledger, 10)
    await log.integrate()
    tamper(path, db => db.exec('DELETE FROM entry WHERE ix > 7'))
    await expect(log.integrate()).rejects.toThrow('there are 8 entries, and the last checkpoint is of 10')
  })

  it('says so when a tile is missing', async () => {
    const { path, ledger, log } = await logged()
    await grow(ledger, 257)
    await log.integrate()
    tamper(path, db => db.exec('DELETE FROM tile; DELETE FROM entry WHERE ix < 10'))
    await expect(log.inclusion(100, 257)).rejects.toThrow('tile 0/0 of the log is missing')
  })

  it('does not go on under another key', async () => {
    const { path, ledger, log } = await logged()
    await log.integrate()
    const store = openLogStore(path)
    onTestFinished(() => store[Symbol.asyncDispose]())
    const { privateKey } = generateKeyPairSync('ed25519')
    const other = openLog({ store, city: 'jiangyin', id: ledger.id, key: privateKey, now: Date.now })
    await expect(other.integrate()).rejects.toThrow('not of this ledger and this log.pem')
  })

  it.each([
    ['a smaller checkpoint', `INSERT INTO checkpoint VALUES (1, '', '')`],
    ['a checkpoint of more than there is', `INSERT INTO checkpoint VALUES (1000, '', '')`],
    ['a checkpoint in the place of another', `INSERT OR REPLACE INTO checkpoint VALUES (257, '', '')`],
    ['another note', `UPDATE checkpoint SET note = 'x' || note`],
    ['no checkpoint', 'DELETE FROM checkpoint WHERE size = 257'],
    ['another tile', 'UPDATE tile SET root = zeroblob(32)'],
    ['a tile in the place of another', 'INSERT OR REPLACE INTO tile VALUES (0, 0, zeroblob(32), zeroblob(8192))'],
    ['a tile before its time', 'INSERT INTO tile VALUES (0, 2, zeroblob(32), zeroblob(8192))'],
    ['no tile', 'DELETE FROM tile'],
    ['another city’s log, smaller', `UPDATE witnessed SET size = 4, note = 'x'`],
    ['another city’s log, forgotten', 'DELETE FROM witnessed'],
    ['a contradiction, forgotten', 'DELETE FROM contradiction'],
    ['a contradiction, changed', `UPDATE contradiction SET city = 'x', acknowledged_by = 'x', acknowledged_at = 'x'`],
  ])('by its own triggers holds no %s', async (_, sql) => {
    const { path, ledger, log } = await logged()
    await grow(ledger, 257)
    await log.integrate()
    using db = raw(path)
    db.exec(`INSERT INTO witnessed VALUES (0, 'huizhou', 'o', 'k', 5, 'n', 'a');
      INSERT INTO contradiction VALUES (0, 'huizhou', 'forked', 'h', 'f', 'd', 'a', NULL, NULL)`)
    expect(() => db.exec(sql)).toThrow()
  })
})

describe('what is made once more from the entries', () => {
  async function audited(change: string) {
    const { path, ledger, log } = await logged()
    await grow(ledger, 100)
    await log.integrate()
    await grow(ledger, 450)
    await log.integrate()
    tamper(path, db => db.exec(change))
    await using store = openLogStore(path, { readOnly: true })
    const names: string[] = []
    for await (const { name, index } of auditLog(store)) names.push(`${name} ${index}`)
    return names
  }

  it('is a part of verifying the ledger', async () => {
    const { path, ledger, log } = await logged()
    await grow(ledger, 300)
    await log.integrate()
    expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, faults: [] })
    tamper(path, db => db.exec('DELETE FROM tile'))
    expect(await verifyLedgerAt(path)).toMatchObject({ verified: false, faults: [{ name: 'tile-missing', index: 0 }] })
  })

  it.each([
    ['as it was', '', []],
    ['a missing tile', 'DELETE FROM tile WHERE n = 1', ['tile-missing 256']],
    ['a changed tile', 'UPDATE tile SET hashes = zeroblob(8192) WHERE n = 0', ['tile-changed 0']],
    ['a changed root', 'UPDATE tile SET root = zeroblob(32) WHERE n = 1', ['tile-changed 256']],
    ['a checkpoint of more than there is', 'DELETE FROM entry WHERE ix > 540', ['checkpoint-broken 550']],
    [
      'a changed checkpoint',
      `UPDATE checkpoint SET note = replace(note, char(10) || '100' || char(10), char(10) || '101' || char(10))`,
      ['checkpoint-broken 100'],
    ],
    [
      'an edited entry, and its link with it',
      `UPDATE entry SET body = replace(body, 'bidding', 'binding') WHERE ix = 520`,
      ['checkpoint-broken 550'],
    ],
    [
      'an edited entry of long ago',
      `UPDATE entry SET body = replace(body, 'bidding', 'binding') WHERE ix = 20`,
      ['tile-changed 0', 'checkpoint-broken 550', 'checkpoint-broken 100'],
    ],
  ])('shows %s', async (_, change, names) => {
    expect(await audited(change)).toEqual(names)
  })
})
