import { beforeAll, describe, expect, test } from 'vitest'
import { refuse } from '#protocol/refusal.ts'
import { fuzz, GROWTH, type Report, SLOW } from './fuzz.ts'
import { type Kind, messages } from './messages.ts'

/** A short run of `npm run fuzz`, with the same seed each time. */
describe('a message that was broken in any way', () => {
  let report: Report
  beforeAll(async () => {
    const kinds = await messages()
    // First a while in which everything is compiled, for the memory to be still afterwards.
    await fuzz(kinds, 500, 1)
    report = await fuzz(kinds, 3_000, 20261122)
    const { violations, memory, ...told } = report
    console.log(JSON.stringify({ ...told, violations: violations.length, memory }))
  })

  test('is refused by a code of the table, in due time, or is what a member signed', () => {
    expect(report.violations).toEqual([])
    expect(report.slowest.ms).toBeLessThanOrEqual(SLOW)
  })

  test('leaves nothing behind in memory', () => {
    expect(report.memory.growth).toBeLessThan(GROWTH)
  })

  test('reached every check that a message can fail at, to the last', () => {
    expect(Object.keys(report.refusals)).toEqual(
      expect.arrayContaining([
        ...[
          'form.compact',
          'form.base64',
          'form.json',
          'form.duplicate',
          'token.header',
          'token.algorithm',
          'token.type',
        ],
        ...['token.signature', 'token.claims', 'token.sealed'],
      ]),
    )
    expect(report.twins).toBeGreaterThan(0)
    expect(report.sound).toBeGreaterThan(0)
  })
})

describe('the fuzzer itself', () => {
  const original = 'e30.e30.AAAA'
  /** A reader that knows its original, and does with every other text what it is told to. */
  const reading = (other: () => unknown): Kind => ({
    name: 'a text',
    original,
    once: true,
    twinned: false,
    sign: (header, payload) => `${header}.${payload}.`,
    read: (text, first) => {
      if (text !== original) return other()
      if (!first) throw refuse('token.replayed')
      return {}
    },
  })
  const busy = (ms: number) => {
    const until = performance.now() + ms
    while (performance.now() < until);
    throw refuse('form.compact')
  }

  test.each<[string, () => unknown, RegExp]>([
    ['accepts', () => ({}), /^accepted$/],
    ['throws what is no refusal', () => Object(undefined).iss.length, /^threw TypeError/],
    ['gives up for a fault of its own', () => Promise.reject(refuse('fault')), /^threw/],
    ['takes its time', () => busy(SLOW + 1), /^took [0-9.]+ ms$/],
  ])('finds out a reader that %s', async (_, other, what) => {
    const { violations } = await fuzz([reading(other)], 4, 1)
    expect(violations.length).toBeGreaterThanOrEqual(4)
    for (const each of violations) expect(each.what).toMatch(what)
  })

  test('finds out a reader that remembers', async () => {
    const remembered: Buffer[] = []
    const remembering = reading(() => {
      remembered.push(Buffer.alloc(5_000))
      throw refuse('form.compact')
    })
    expect((await fuzz([remembering], 1_200, 1)).memory.growth).toBeGreaterThan(GROWTH)
  })
})
