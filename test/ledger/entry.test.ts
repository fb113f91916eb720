import { describe, expect, test } from 'vitest'
import { assertReadable, type Entry, entryText, readEntry } from '#ledger/entry.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { verifyLedger } from '#ledger/verify.ts'
import { answered, company, newLedger } from './sample.ts'

const common = { at: '2026-03-01T01:02:03.004Z', city: 'jiangyin' }
const digest = 'd'.repeat(43)
const staff: Extract<Entry, { kind: 'staff' }> = {
  kind: 'staff',
  ...common,
  staff: '王芳',
  role: 'auditor',
  action: 'viewed',
  page: 'inbound',
  subjects: [company(1), 'refused'],
  entries: [0, 41],
  filter: 'peer=huizhou&from=2026-02-28',
}
const expired: Extract<Entry, { kind: 'expired' }> = {
  kind: 'expired',
  ...common,
  from: 0,
  until: 512,
  count: 480,
  retentionDays: 180,
}
const placed: Extract<Entry, { kind: 'held' }> = {
  kind: 'held',
  ...common,
  staff: '王芳',
  hold: 'case-2026-7',
  action: 'placed',
  reason: '（2026）苏0281行初7号，法院调取',
  subjects: [company(1)],
  from: '2026-01-01T00:00:00.000Z',
  until: '2026-02-01T00:00:00.000Z',
}
const configured: Extract<Entry, { kind: 'configured' }> = {
  kind: 'configured',
  ...common,
  digests: { 'agreements/jiangyin-huizhou-2026.json': digest, 'members.json': digest },
  changed: ['members.json'],
}
const { filter: _, ...unfiltered } = staff
const { subjects: __, from: ___, until: ____, ...whole } = placed

const kinds: [string, Entry][] = [
  ['what staff saw', staff],
  ['staff who saw nothing in particular', { ...unfiltered, action: 'signed-in', subjects: [], entries: [] }],
  ['a sign-in that was refused', { ...staff, staff: '?', role: 'viewer', action: 'sign-in-refused' }],
  ['evidence that was let go', expired],
  ['a hold that was placed', placed],
  ['a hold on everything that was lifted', { ...whole, action: 'lifted' }],
  ['a configuration that was taken', configured],
]

describe('an entry that is of no message', () => {
  test.each(kinds)('is read back as it was: %s', (_, entry) => {
    assertReadable(entry)
    expect(readEntry(entryText(entry))).toEqual(entry)
  })

  test('is recorded as often as it happens, and never with evidence', async () => {
    const path = newLedger()
    await using ledger = openLedger(path, 'jiangyin')
    const all = kinds.map(([, entry]) => entry)
    await Promise.all([...all, ...all].map(entry => ledger.append(entry)))
    const read = await ledger.entries({ from: 0, limit: 100 })
    expect(read.map(({ entry }) => entry)).toEqual([...all, ...all])
    for (const entry of all) await expect(ledger.append(entry, { question: 'q' })).rejects.toThrow(TypeError)
    expect(verifyLedger(path)).toMatchObject({ verified: true, entries: 2 * all.length, evidence: 0 })
  })

  const wrong: [string, Entry][] = [
    ['a name of 81', { ...staff, staff: '王'.repeat(81) }],
    ['an entry before the first', { ...staff, entries: [-1] }],
    ['1001 subjects', { ...staff, subjects: Array.from({ length: 1001 }, (_, i) => company(i)) }],
    ['a filter of 1001', { ...staff, filter: 'x'.repeat(1001) }],
    ['a page that is none', { ...staff, page: '../etc' }],
    ['more evidence than entries', { ...expired, count: 513 }],
    ['half a day', { ...expired, retentionDays: 0.5 }],
    ['no reason', { ...placed, reason: '' }],
    ['a day in place of an instant', { ...placed, from: '2026-01-01' }],
    ['a hold on no subject', { ...placed, subjects: [] }],
    ['a digest that is none', { ...configured, digests: { 'members.json': 'd' } }],
    ['a file without a name', { ...configured, changed: [''] }],
    ['an instant without milliseconds', { ...configured, at: '2026-03-01T01:02:03Z' }],
  ]

  test.each(wrong)('is refused before it is written, with %s', (_, entry) => {
    expect(() => assertReadable(entry)).toThrow(TypeError)
  })
})

describe('what left with an answer', () => {
  const with_ = (ids: readonly string[][]) =>
    answered({ disclosed: { licence: { fields: ['name'], ids: [...ids], records: [2] } } }).entry

  test('names the records that left, so that all who were given one are found when it ends', () => {
    const entry = with_([['XK-2026-1', 'XK-2026-2']])
    expect(readEntry(entryText(entry))).toEqual(entry)
  })

  test('is read without them too, as it was entered before', () => {
    const { entry } = answered()
    expect(readEntry(entryText(entry))).toEqual(entry)
  })

  test.each([
    ['an id too few', [['XK-2026-1']]],
    ['the ids of another subject', [['1', '2'], ['3']]],
    ['an id that may be a number of a person', [['1', '110101199003077758']]],
  ])('is no entry with %s', (_, ids) => {
    expect(() => readEntry(entryText(with_(ids)))).toThrow()
  })
})
