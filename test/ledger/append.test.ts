import { describe, expect, test } from 'vitest'
import { base64url, type Entry, leafHash, nextLink, originLink } from '#ledger/entry.ts'
import type { Evidence, Ledger } from '#ledger/ledger.ts'
import { openLedgerAt, verifyLedgerAt } from '#ledger/open.ts'
import { canonical } from '#protocol/canonical.ts'
import { describeEngines } from './engines.ts'
import { answered, company, held, signedAnswer, uuid7 } from './sample.ts'

function appendSample(ledger: Ledger, sample = answered()) {
  return ledger.append(sample.entry, sample.evidence)
}

describeEngines(engine => {
  describe('an appended entry', () => {
    test('has the next index and a link that follows the one before, from the name of the ledger on', async () => {
      const path = await engine.make()
      await using ledger = await openLedgerAt(path, 'jiangyin')
      const { identity } = await verifyLedgerAt(path)
      if (identity === undefined) throw new Error('no identity')
      let link = originLink(identity)
      for (let index = 0; index < 3; index += 1) {
        const { entry } = answered()
        const leaf = leafHash(canonical(entry))
        link = nextLink(link, leaf)
        const wanted = { index, leaf: base64url(leaf), link: base64url(link), at: entry.at }
        expect(await ledger.append(entry)).toEqual(wanted)
        expect(await ledger.entry(index)).toEqual({ entry, receipt: wanted })
      }
      expect(await ledger.head()).toEqual({ count: 3, link: base64url(link) })
    })

    test('is there after the ledger was closed and opened again', async () => {
      const path = await engine.make()
      const { entry, evidence } = answered()
      {
        await using ledger = await openLedgerAt(path, 'jiangyin')
        await ledger.append(entry, evidence)
      }
      await using ledger = await openLedgerAt(path, 'jiangyin')
      expect((await ledger.entry(0))?.entry).toEqual(held(entry))
      expect(await ledger.evidence(0)).toEqual(evidence)
      expect((await appendSample(ledger)).index).toBe(1)
    })

    test('may be of every kind, and all are read back in order', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const { entry } = answered()
      const { kind: _, status: __, disclosed: ___, withheldDigest: ____, answerDigest: _____, ...exchange } = entry
      const own = { ...exchange, department: 'bidding-centre', jti: uuid7() }
      const receipt = await ledger.append(entry)
      await ledger.append({ ...exchange, kind: 'refused', jti: uuid7(), subjects: ['refused'], code: 'subject.person' })
      await ledger.append({ ...own, kind: 'asked', want: [{ family: 'licence' }] })
      await ledger.append({ ...own, kind: 'outcome', outcome: 'answered', answerDigest: 'b'.repeat(43), receipt })
      await ledger.append({ ...own, kind: 'outcome', outcome: 'unknown', code: 'peer.slow' })
      const kinds = (await ledger.entries({ from: 1, limit: 3 })).map(({ entry: { kind } }) => kind)
      expect(kinds).toEqual(['refused', 'asked', 'outcome'])
      expect(await ledger.count()).toBe(5)
    })

    test('that JSON cannot say fails alone, before it joins a group', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const results = await Promise.allSettled([
        appendSample(ledger),
        appendSample(ledger, answered({ matter: '\ud800' })),
        appendSample(ledger, answered({ at: 'yesterday' })),
        appendSample(ledger),
      ])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
      expect(await ledger.count()).toBe(2)
    })
  })

  describe('an entry that could not be read back', () => {
    const { entry, evidence } = answered()
    const { status: _, disclosed: __, withheldDigest: ___, answerDigest: ____, ...exchange } = entry
    const own = { ...exchange, department: 'bidding-centre' }
    const cases: [string, Entry, Evidence?][] = [
      ['a matter of 201', { ...entry, matter: '标'.repeat(201) }],
      ['an empty matter', { ...entry, matter: '' }],
      [
        'a matter of 201 that was not let out',
        { ...own, kind: 'declined', matter: 'x'.repeat(201), code: 'agreement.purpose' },
      ],
      ['an instant without milliseconds', { ...entry, at: '2026-03-01T00:00:00Z' }],
      ['no subject', { ...entry, subjects: [], status: [] }],
      ['a status too few', { ...entry, subjects: [company(1), company(2)] }],
      ['a short digest', { ...entry, answerDigest: 'a' }],
      ['a jti of another form', { ...entry, jti: '1' }],
      ['a department of 81', { ...own, kind: 'asked', department: '办'.repeat(81), want: [{ family: 'licence' }] }],
      ['no want', { ...own, kind: 'asked', want: [] }],
      ['evidence without its answer', entry, { question: evidence.question }],
      ['evidence without its question', entry, { answer: evidence.answer }],
      ['a day for evidence that did not come', held(entry)],
    ]

    test.each(cases)('is a mistake of ours: %s', async (_, wrong, beside) => {
      const path = await engine.make()
      await using ledger = await openLedgerAt(path, 'jiangyin')
      await expect(ledger.append(wrong, beside)).rejects.toThrow(TypeError)
      expect(await ledger.count()).toBe(0)
      await ledger.append({ ...entry, matter: '标'.repeat(200) }, evidence)
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 1, evidence: 1 })
    })
  })

  describe('a replay', () => {
    test('is refused at once, in the same group, and after a restart', async () => {
      const path = await engine.make()
      const sample = answered()
      {
        await using ledger = await openLedgerAt(path, 'jiangyin')
        expect(ledger.seen('huizhou', sample.entry.jti)).toBe(false)
        const [first, second] = await Promise.allSettled([appendSample(ledger, sample), appendSample(ledger, sample)])
        expect(first.status).toBe('fulfilled')
        expect(second).toMatchObject({ reason: { code: 'token.replayed' } })
        await expect(appendSample(ledger, sample)).rejects.toMatchObject({ code: 'token.replayed' })
      }
      await using ledger = await openLedgerAt(path, 'jiangyin')
      expect(ledger.seen('huizhou', sample.entry.jti)).toBe(true)
      await expect(appendSample(ledger, sample)).rejects.toMatchObject({ code: 'token.replayed' })
      expect(await ledger.count()).toBe(1)
    })

    test('is refused whether the first was answered or refused', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const { entry } = answered()
      const { status: _, disclosed: __, withheldDigest: ___, answerDigest: ____, ...exchange } = entry
      await ledger.append({ ...exchange, kind: 'refused', code: 'agreement.expired' })
      await expect(ledger.append(entry)).rejects.toMatchObject({ code: 'token.replayed' })
    })

    test('is not the same jti from another peer, nor our own question', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const { entry } = answered()
      const { status: _, disclosed: __, withheldDigest: ___, answerDigest: ____, ...exchange } = entry
      const own = { ...exchange, department: 'bidding-centre' }
      await ledger.append(entry)
      await ledger.append({ ...entry, peer: 'suzhou' })
      await ledger.append({ ...own, kind: 'asked', want: [{ family: 'licence' }] })
      await ledger.append({ ...own, kind: 'outcome', outcome: 'unknown', code: 'peer.unreachable' })
      expect(await ledger.count()).toBe(4)
    })

    test('fails alone: the rest of its group is recorded without a gap', async () => {
      const path = await engine.make()
      const old = answered()
      await using ledger = await openLedgerAt(path, 'jiangyin')
      await appendSample(ledger, old)
      const samples = Array.from({ length: 40 }, (_, i) => (i % 7 === 3 ? old : answered()))
      const results = await Promise.allSettled(samples.map(sample => appendSample(ledger, sample)))
      const indexes = results.flatMap(result => (result.status === 'fulfilled' ? [result.value.index] : []))
      expect(indexes).toEqual(Array.from({ length: indexes.length }, (_, i) => i + 1))
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(6)
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 35, evidence: 35 })
    })
  })

  describe('two gateways on one ledger', () => {
    test('continue one chain and refuse each other’s replays', async () => {
      const path = await engine.make()
      await using one = await openLedgerAt(path, 'jiangyin')
      await using other = await openLedgerAt(path, 'jiangyin')
      const samples = Array.from({ length: 200 }, () => answered())
      await Promise.all(samples.map((sample, i) => appendSample(i % 2 ? one : other, sample)))
      const results = await Promise.allSettled(samples.map((sample, i) => appendSample(i % 2 ? other : one, sample)))
      for (const result of results) expect(result).toMatchObject({ reason: { code: 'token.replayed' } })
      expect(await one.head()).toEqual(await other.head())
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 200 })
    })
  })

  describe('the signed answer', () => {
    test('takes the place of the body to the byte, and is there after close', async () => {
      const path = await engine.make()
      const sample = answered()
      const ledger = await openLedgerAt(path, 'jiangyin')
      const receipt = await appendSample(ledger, sample)
      expect(await ledger.evidence(0)).toEqual(sample.evidence)
      const answer = signedAnswer(sample, receipt)
      ledger.keep(receipt.index, { answer })
      await ledger.close()
      await using again = await openLedgerAt(path, 'jiangyin')
      expect(await again.evidence(0)).toEqual({ question: sample.evidence.question, answer })
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, evidence: 1, signed: 1 })
    })

    test('rides in the next group', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const sample = answered()
      const receipt = await appendSample(ledger, sample)
      const answer = signedAnswer(sample, receipt)
      ledger.keep(0, { answer })
      await appendSample(ledger)
      expect((await ledger.evidence(0))?.answer).toBe(answer)
    })

    test('is kept whole when it does not hold the body as it is', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      await appendSample(ledger)
      for (const [index, answer] of ['not.a.token', 'two.parts', `..${'x'.repeat(20_000)}`, 'a.e30=.b'].entries()) {
        ledger.keep(index, { answer })
        await appendSample(ledger)
        expect((await ledger.evidence(index))?.answer).toBe(answer)
      }
    })

    test('stays the first; what has no evidence, or no entry, is let go', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      await appendSample(ledger)
      await ledger.append(answered().entry)
      ledger.keep(0, { answer: 'first.answer.here' })
      await appendSample(ledger)
      for (const index of [0, 1, 99, -1, 1.5]) ledger.keep(index, { answer: 'second.answer.here' })
      await appendSample(ledger)
      expect((await ledger.evidence(0))?.answer).toBe('first.answer.here')
      expect(await ledger.evidence(1)).toBeUndefined()
      expect(await ledger.evidence(99)).toBeUndefined()
    })
  })

  describe('the quota of a day', () => {
    test('is the number of subjects answered about for that peer since that instant', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const batch = { subjects: [company(1), company(2)], status: ['answered', 'unknown'] } satisfies Parameters<
        typeof answered
      >[0]
      for (const at of ['2026-03-01T15:59:59.999Z', '2026-03-01T16:00:00.000Z', '2026-03-02T01:00:00.000Z']) {
        await ledger.append(answered({ at, ...batch }).entry)
        await ledger.append(answered({ at, peer: 'suzhou' }).entry)
      }
      // A clock that was set back by a few minutes.
      await ledger.append(answered({ at: '2026-03-02T00:55:00.000Z' }).entry)
      expect(await ledger.subjectsSince('huizhou', '2026-03-02T00:00:00+08:00')).toEqual(
        new Map([['jiangyin-huizhou-2026', 5]]),
      )
      expect(await ledger.subjectsSince('huizhou', '2026-03-02T01:00:00Z')).toEqual(
        new Map([['jiangyin-huizhou-2026', 2]]),
      )
      expect(await ledger.subjectsSince('suzhou', '2026-03-01T00:00:00Z')).toEqual(
        new Map([['jiangyin-huizhou-2026', 3]]),
      )
      expect(await ledger.subjectsSince('wuxi', '2026-03-01T00:00:00Z')).toEqual(new Map())
    })
  })

  test('the quota counts what was written just before a clock was set back over midnight', async () => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    for (const at of ['2026-03-01T16:00:10.000Z', '2026-03-01T15:59:50.000Z', '2026-03-01T16:00:05.000Z']) {
      await ledger.append(answered({ at }).entry)
    }
    expect(await ledger.subjectsSince('huizhou', '2026-03-01T16:00:00Z')).toEqual(
      new Map([['jiangyin-huizhou-2026', 2]]),
    )
  })

  describe('a ledger that cannot serve', () => {
    test('refuses more appends than may wait, and records the others', async () => {
      await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
      const results = await Promise.allSettled(Array.from({ length: 4100 }, () => ledger.append(answered().entry)))
      const refused = results.filter(result => result.status === 'rejected')
      expect(refused).toHaveLength(4)
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'load.busy' })
      expect(await ledger.count()).toBe(4096)
    })

    test('writes what waits before it closes, and refuses what comes after', async () => {
      const path = await engine.make()
      const ledger = await openLedgerAt(path, 'jiangyin')
      const pending = [appendSample(ledger), appendSample(ledger)]
      await ledger.close()
      await ledger.close()
      expect((await Promise.all(pending)).map(({ index }) => index)).toEqual([0, 1])
      await expect(appendSample(ledger)).rejects.toMatchObject({ code: 'ledger.unavailable' })
      await expect(ledger.writable()).rejects.toMatchObject({ code: 'ledger.unavailable' })
      expect(() => ledger.seen('huizhou', uuid7())).toThrow('ledger.unavailable')
      ledger.keep(0, { answer: 'a.b.c' })
      expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 2 })
    })
  })

  test('readiness adds nothing to the ledger', async () => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    await appendSample(ledger)
    const before = await ledger.head()
    for (let i = 0; i < 3; i += 1) await ledger.writable()
    expect(await ledger.head()).toEqual(before)
  })

  test('a text that PostgreSQL has no form for is recorded as it is, and its group with it', async () => {
    const path = await engine.make()
    await using ledger = await openLedgerAt(path, 'jiangyin')
    const {
      kind: _,
      status: __,
      disclosed: ___,
      withheldDigest: ____,
      answerDigest: _____,
      ...exchange
    } = answered().entry
    const odd = { ...exchange, kind: 'outcome' as const, outcome: 'unknown' as const, department: '招标办' }
    const matters = ['a\u0000b', '\\u0000', '"\\', '\ufffd', '{', '\ud83d\ude00']
    const group = matters.map(matter => ledger.append({ ...odd, matter, jti: uuid7() }, { answer: `\u0000${matter}` }))
    for (const [index, receipt] of (await Promise.all(group)).entries()) {
      expect((await ledger.entry(receipt.index))?.entry).toMatchObject({ matter: matters[index] })
      expect(await ledger.evidence(receipt.index)).toEqual({ question: undefined, answer: `\u0000${matters[index]}` })
      const { entries } = await ledger.search({ matter: matters[index] }, { limit: 10 })
      expect(entries.map(({ receipt: { index } }) => index)).toContain(receipt.index)
    }
    expect(await verifyLedgerAt(path)).toMatchObject({ verified: true, entries: 6 })
  })
})
