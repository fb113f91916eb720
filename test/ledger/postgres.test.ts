import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import postgres from 'postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '#ledger/ledger.ts'
import { createLedgerAt, openLedgerAt, verifyLedgerAt } from '#ledger/open.ts'
import { upgradePostgresLedger } from '#ledger/postgres.ts'
import { SEGMENT, VERSION, versionTexts } from '#ledger/postgres-tables.ts'
import { sha256 } from '#protocol/canonical.ts'
import { postgresEngine } from './engines.ts'
import { answered, company, signedAnswer } from './sample.ts'

const engine = postgresEngine()

function appendSample(ledger: Ledger, sample = answered()) {
  return ledger.append(sample.entry, sample.evidence)
}

/** A connection of somebody who owns the tables. */
function raw(place: string): postgres.Sql {
  const sql = postgres(place, { max: 1, onnotice: () => {} })
  onTestFinished(() => sql.end())
  return sql
}

/** A new ledger that a new role is granted: its place, its owner’s connection, and its place for that role. */
async function grantedTo(role: string) {
  const place = await engine.room()
  const owner = raw(place)
  await owner.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'r'`)
  await createLedgerAt(place, 'jiangyin', role)
  return { place, owner, granted: place.replace('postgres:test@', `${role}:r@`) }
}

/** A ledger of so many answered questions with signed answers. */
async function filled(entries: number) {
  const place = await engine.make()
  await using ledger = await openLedgerAt(place, 'jiangyin')
  const receipts = []
  for (let i = 0; i < entries; i += 1) {
    const sample = answered()
    const receipt = await ledger.append(sample.entry, sample.evidence)
    ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
    receipts.push(receipt)
  }
  return { place, receipts }
}

describe('the tables refuse by themselves', () => {
  const cases: [string, string, RegExp][] = [
    ['a change of a text', `UPDATE entry SET body = replace(body, 'bidding', 'lending') WHERE ix = 1`, /nothing back/],
    ['a change of a link', `UPDATE entry SET link = sha256(link)`, /nothing back/],
    ['a deletion', 'DELETE FROM entry WHERE ix = 2', /nothing back/],
    ['a truncation', 'TRUNCATE entry', /nothing back/],
    ['a truncation of all', 'TRUNCATE entry, evidence, signed, subject, ledger', /nothing back/],
    ['a gap', `INSERT INTO entry SELECT 7, '{}', link, link FROM entry WHERE ix = 2`, /follows the head/],
    [
      'an entry that does not know the head',
      `INSERT INTO entry SELECT 3, '{}', link, link FROM entry WHERE ix = 1`,
      /follows the head/,
    ],
    [
      'a link that is not of its text',
      `INSERT INTO entry SELECT 3, body, link, link FROM entry WHERE ix = 2`,
      /entry_check|link_check|violates check/,
    ],
    [
      'a message that is recorded',
      `INSERT INTO entry SELECT 3, first.body, entry.link,
        sha256('\\x02'::bytea || entry.link || sha256('\\x00'::bytea || convert_to(first.body, 'UTF8')))
        FROM entry, entry AS first WHERE entry.ix = 2 AND first.ix = 0`,
      /entry_inbound/,
    ],
    [
      'an upsert',
      `INSERT INTO entry SELECT ix, body, previous, link FROM entry WHERE ix = 1 ON CONFLICT (ix) DO UPDATE SET body = '{}'`,
      /follows the head/,
    ],
    ['another city', `UPDATE ledger SET city = 'huizhou'`, /nothing back/],
    ['a second name', `INSERT INTO ledger SELECT 2, city, id, created, origin FROM ledger`, /violates check/],
    ['no name', 'DELETE FROM ledger', /nothing back/],
    ['a change of evidence', `UPDATE evidence SET question = 'x'`, /nothing back/],
    ['the loss of evidence before its time', 'DELETE FROM evidence', /until it expires/],
    ['evidence that comes late', `INSERT INTO evidence VALUES (1, 'x', NULL, 0)`, /with its entry/],
    ['another signature', `INSERT INTO signed VALUES (2, NULL, 'x', NULL, NULL)`, /signed_pkey/],
    ['a change of the signature', `UPDATE signed SET signature = 'x'`, /nothing back/],
    ['the loss of the signature alone', 'DELETE FROM signed', /until it expires/],
    ['a change of what is searched', `UPDATE subject SET uscc = 'x'`, /nothing back/],
  ]
  test.each(cases)('%s', async (_, text, message) => {
    const { place } = await filled(3)
    await expect(raw(place).unsafe(text)).rejects.toThrow(message)
    expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, entries: 3, evidence: 3, signed: 3 })
  })
})

describe('a role that is granted a ledger', () => {
  test('appends, keeps and reads, and can do nothing else', async () => {
    const { granted } = await grantedTo('gateway')
    {
      await using ledger = await openLedgerAt(granted, 'jiangyin')
      const sample = answered()
      const receipt = await appendSample(ledger, sample)
      ledger.keep(0, { answer: signedAnswer(sample, receipt) })
      await appendSample(ledger)
      await ledger.writable()
      expect((await ledger.entries({ from: 0, limit: 9 })).length).toBe(2)
    }
    const sql = raw(granted)
    for (const text of [
      'DELETE FROM entry',
      'INSERT INTO entry SELECT 2, body, link, link FROM entry WHERE ix = 1',
      'DELETE FROM evidence',
      'ALTER TABLE entry DISABLE TRIGGER ALL',
      'DROP TABLE subject',
      'UPDATE writer SET turn = 0',
      `SET session_replication_role = 'replica'`,
      'CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$',
    ]) {
      await expect(sql.unsafe(text), text).rejects.toThrow(/permission denied|must be owner/)
    }
    expect(await verifyLedgerAt(granted)).toMatchObject({ verified: true, entries: 2, signed: 1 })
  })
})

describe('a ledger of another version', () => {
  test.each([0, 1])(
    '%i is brought up by its owner: the functions are this program’s, entries and rights stay',
    async version => {
      const { place, owner, granted } = await grantedTo(`clerk_${version}`)
      {
        await using ledger = await openLedgerAt(granted, 'jiangyin')
        await appendSample(ledger)
      }
      await owner.unsafe(`ALTER TABLE subject DROP segment, ADD PRIMARY KEY (uscc, ix);
      COMMENT ON TABLE ledger IS ${version === 0 ? 'NULL' : `'${version}'`}; DROP TRIGGER signed_expires ON signed; DROP FUNCTION try_write;
      CREATE FUNCTION try_write(the_old text) RETURNS void LANGUAGE plpgsql AS $$BEGIN END$$`)
      await expect(openLedgerAt(granted, 'jiangyin')).rejects.toMatchObject({
        detail: expect.stringContaining('xinqiao ledger upgrade'),
      })
      await expect(upgradePostgresLedger(granted)).rejects.toThrow('ledger.unavailable')
      expect(await upgradePostgresLedger(place)).toBe(version)
      expect(await upgradePostgresLedger(place)).toBe(VERSION)
      {
        await using ledger = await openLedgerAt(granted, 'jiangyin')
        expect((await appendSample(ledger)).index).toBe(1)
        await ledger.writable()
        const { entries } = await ledger.search({ subject: company(1) }, { limit: 9 })
        expect(entries.map(({ receipt }) => receipt.index)).toEqual([1, 0])
      }
      expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, entries: 2, evidence: 2 })
    },
  )

  test('of a later program is neither opened nor brought down', async () => {
    const { place } = await filled(1)
    await raw(place).unsafe(`COMMENT ON TABLE ledger IS '${VERSION + 1}'`)
    await expect(openLedgerAt(place, 'jiangyin')).rejects.toMatchObject({ detail: expect.stringContaining('later') })
    await expect(upgradePostgresLedger(place)).rejects.toMatchObject({ detail: expect.stringContaining('later') })
  })

  // A digest that fails here means that every ledger in the field would be refused: count the version up, and add a step.
  test('has other texts', () => {
    expect([VERSION, sha256(versionTexts())]).toEqual([2, 'pIVFnckThjbYuMcfN0oQKs4tQASCLYCF5FtuCpEfOsM'])
  })
})

describe('what is found in PostgreSQL', () => {
  const cases: [string, string, string[]][] = [
    [
      'a deletion',
      'DELETE FROM entry WHERE ix = 2; DELETE FROM evidence WHERE ix = 2; DELETE FROM signed WHERE ix = 2',
      ['gap 2'],
    ],
    [
      'an edit with its own link made anew',
      `UPDATE entry SET body = replace(body, 'bidding', 'lending'), link = sha256('\\x02'::bytea || previous
        || sha256('\\x00'::bytea || convert_to(replace(body, 'bidding', 'lending'), 'UTF8'))) WHERE ix = 2`,
      ['edited 2', 'receipt-broken 2', 'link-broken 3'],
    ],
    [
      'evidence of another entry',
      'UPDATE evidence SET question = (SELECT question FROM evidence WHERE ix = 1) WHERE ix = 2',
      ['evidence-swapped 2'],
    ],
    ['a search that is led astray', `UPDATE entry SET peer = 'wuxi' WHERE ix = 2`, ['edited 2']],
    ['a subject that is not found', 'DELETE FROM subject WHERE ix = 2', ['edited 2']],
    [
      'evidence that is gone',
      'DELETE FROM evidence WHERE ix = 2; DELETE FROM signed WHERE ix = 2',
      ['evidence-missing 2'],
    ],
    [
      'evidence of nothing',
      `INSERT INTO evidence VALUES (77, 'x', NULL, 0); INSERT INTO signed VALUES (78, NULL, 'x')`,
      ['evidence-stray 77', 'evidence-stray 78'],
    ],
    ['a trigger that is off', 'ALTER TABLE entry DISABLE TRIGGER entry_not_changed', ['schema-changed -']],
    ['a trigger that is gone', 'DROP TRIGGER evidence_expires ON evidence', ['schema-changed -']],
    [
      'a function that does nothing',
      'CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$',
      ['schema-changed -'],
    ],
    ['another name of the ledger', `UPDATE ledger SET id = 'x'`, ['unreadable -']],
  ]
  test.each(cases)('%s', async (_, text, wanted) => {
    const { place } = await filled(6)
    await raw(place).unsafe(`SET session_replication_role = 'replica'; ${text}`)
    const { faults } = await verifyLedgerAt(place)
    expect(faults.map(({ name, index }) => `${name} ${index ?? '-'}`)).toEqual(wanted)
    if (wanted.some(each => each.endsWith('-')))
      await expect(openLedgerAt(place, 'jiangyin')).rejects.toThrow('ledger.unavailable')
  })

  test('a shortened ledger, by whoever holds a receipt', async () => {
    const { place, receipts } = await filled(6)
    await raw(place).unsafe(`SET session_replication_role = 'replica'; DELETE FROM entry WHERE ix > 3;
      DELETE FROM evidence WHERE ix > 3; DELETE FROM signed WHERE ix > 3`)
    expect(await verifyLedgerAt(place)).toMatchObject({ verified: true })
    expect((await verifyLedgerAt(place, { receipts })).faults).toMatchObject([{ index: 4 }, { index: 5 }])
  })
})

describe('what was recorded of a subject in PostgreSQL', () => {
  test('is found page by page, however many entries lie between', async () => {
    const { place } = await filled(7)
    await using ledger = await openLedgerAt(place, 'jiangyin')
    await appendSample(ledger, answered({ subjects: [company(2)] }))
    const far = [0, 1, SEGMENT - 1, SEGMENT, 40 * SEGMENT, 40 * SEGMENT + 1, 99 * SEGMENT, 100 * SEGMENT]
    const moves = far
      .map((ix, i) => [ix, i] as const)
      .reverse()
      .flatMap(([to, from]) => ['entry', 'subject'].map(table => `UPDATE ${table} SET ix = ${to} WHERE ix = ${from}`))
    await raw(place).unsafe(`SET session_replication_role = 'replica'; ${moves.join('; ')}`)
    for (const limit of [1, 2, 3, 7, 8]) {
      const found: number[] = []
      for (let next: number | undefined = 100 * SEGMENT + 1; next !== undefined; ) {
        const page = await ledger.search({ subject: company(1) }, { before: next, limit })
        found.push(...page.entries.map(({ receipt }) => receipt.index))
        next = page.next
      }
      expect(found, `pages of ${limit}`).toEqual(far.slice(0, 7).reverse())
    }
    const ofKind = async (kind: 'answered' | 'asked') =>
      (await ledger.search({ subject: company(1), kinds: [kind] }, { limit: 9 })).entries.map(
        found => found.receipt.index,
      )
    expect(await ofKind('answered')).toEqual(far.slice(0, 7).reverse())
    expect(await ofKind('asked')).toEqual([])
  })
})

describe('a ledger in PostgreSQL is opened', () => {
  test('only where one was begun, which is done once', async () => {
    const place = await engine.room()
    await expect(openLedgerAt(place, 'jiangyin')).rejects.toThrow('ledger.unavailable')
    await createLedgerAt(place, 'jiangyin')
    await expect(createLedgerAt(place, 'jiangyin')).rejects.toThrow(/there already/)
    await expect(openLedgerAt(place, 'huizhou')).rejects.toThrow(/ledger of jiangyin/)
  })

  test('only over a session that waits for its commits', async () => {
    const place = await engine.make()
    await expect(openLedgerAt(`${place}&synchronous_commit=off`, 'jiangyin')).rejects.toThrow(
      /synchronous_commit is off/,
    )
    const sql = raw(`${place}&synchronous_commit=off`)
    await expect(sql.unsafe(`SELECT append_group(gen_random_uuid(), 1, '[]', '[]')`)).rejects.toThrow(
      /synchronous_commit/,
    )
  })

  test('and says that the server is not there', async () => {
    await expect(openLedgerAt('postgres://x@127.0.0.1:1/x', 'jiangyin')).rejects.toThrow(/ECONNREFUSED/)
    await expect(verifyLedgerAt('postgres://x@127.0.0.1:1/x')).rejects.toThrow(/ECONNREFUSED/)
  })
})

/** A network between a ledger and its server, of which a test disposes. */
async function network(place: string) {
  const url = new URL(place)
  const target = { host: url.hostname, port: Number(url.port) }
  let losing = 0
  let silent = false
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = dial(target)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    let written = false
    near.on('data', data => {
      if (data.includes('append_group') || data.includes('"body"')) written = true
      if (!silent) far.write(data)
    })
    far.on('data', data => {
      // The server says what it has done by the name of the command, when it has done it.
      if (losing > 0 && written && data.includes('SELECT ')) {
        losing -= 1
        near.destroy()
      } else if (!silent) near.write(data)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  url.port = String(address.port)
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    place: url.href,
    /** The connection breaks with the next answer to a statement that writes, which the server has done by then. */
    loseAnswers(count: number): void {
      losing = count
    },
    /** Whether all of them were lost. */
    lost: () => losing === 0,
    /** Nothing gets through, either way, and nothing is said about it. */
    silence(on: boolean): void {
      silent = on
    },
  }
}

describe('over a network that fails', () => {
  test('a group whose answer is lost is there once, and is told', async () => {
    const place = await engine.make()
    const net = await network(place)
    await using ledger = await openLedgerAt(net.place, 'jiangyin')
    expect((await appendSample(ledger)).index).toBe(0)
    for (let round = 0; round < 5; round += 1) {
      const before = await ledger.count()
      net.loseAnswers(1 + (round % 2))
      const old = answered()
      const samples = [answered(), old, old, answered()]
      const results = await Promise.allSettled(samples.map(sample => appendSample(ledger, sample)))
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
      expect(net.lost()).toBe(true)
      expect(results[2]).toMatchObject({ reason: { code: 'token.replayed' } })
      expect(await ledger.count()).toBe(before + 3)
    }
    expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, entries: 16 })
  })

  test('whoever comes while nothing is heard is refused soon, and served when the network is back', {
    timeout: 60_000,
  }, async () => {
    const place = await engine.make()
    const net = await network(place)
    await using ledger = await openLedgerAt(net.place, 'jiangyin')
    await appendSample(ledger)
    net.silence(true)
    const first = appendSample(ledger)
    await new Promise(resolve => setTimeout(resolve, 50))
    const began = performance.now()
    await expect(appendSample(ledger)).rejects.toMatchObject({ code: 'ledger.unavailable' })
    expect(performance.now() - began).toBeLessThan(3000)
    await expect(appendSample(ledger)).rejects.toMatchObject({ code: 'ledger.unavailable' })
    net.silence(false)
    // The statement never came through: it is sent again, over a new connection.
    expect((await first).index).toBe(1)
    expect((await appendSample(ledger)).index).toBe(2)
    expect(await verifyLedgerAt(place)).toMatchObject({ verified: true, entries: 3 })
  })
})
