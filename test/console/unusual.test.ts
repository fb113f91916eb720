import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import { completeUscc, readSubject, type Uscc } from '#protocol/subject.ts'
import { Thresholds } from '../../src/console/thresholds.ts'
import { type Alert, acknowledgement, bare, longestRow, openUnusual, SHOWN_DAYS } from '../../src/console/unusual.ts'
import { answered, company, uuid7 } from '../ledger/sample.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** 2026-06-01 is a Monday, and no holiday; the hour is of Asia/Shanghai. */
const at = (day: number, hour: number, minute = 0) =>
  Date.parse('2026-06-01T00:00:00+08:00') + day * DAY + hour * HOUR + minute * MINUTE

/** Companies of one division in the order of their codes. */
const inOrder = (number: number): Uscc => company(number)
/** Companies that nobody would call neighbours: far from each other, in many divisions. */
const scattered = (number: number): Uscc => {
  const division = 100_000 + ((number * 7919) % 800_000)
  const body = ((number * 48_271 + 11) % 887_503_681).toString(31).toUpperCase().padStart(6, '0')
  return readSubject(completeUscc(`91${division}MA${body.replace(/[IOSVZ]/g, 'W')}`)).uscc
}

type Question = {
  readonly at: number
  readonly subjects: readonly (Uscc | 'refused')[]
  readonly peer?: string
  readonly matter?: string
  /** Records found of each. */
  readonly found?: number
}

let files = 0

function question({
  at,
  subjects,
  peer = 'huizhou',
  matter = `苏澄招〔2026〕${files++}号`,
  found = 1,
}: Question): Entry {
  const over = { at: new Date(at).toISOString(), peer, matter, jti: uuid7(), subjects: [...subjects] }
  const records = subjects.map(code => (code === 'refused' ? 0 : found))
  return answered({
    ...over,
    status: subjects.map(code => (code === 'refused' ? ('refused' as const) : ('answered' as const))),
    disclosed: found === 0 ? {} : { licence: { fields: ['name'], records } },
  }).entry
}

function asked(department: string, { at, subjects, matter = '苏澄招〔2026〕7号' }: Question): Entry {
  const { agreement, questionHash } = answered().entry
  const common = {
    at: new Date(at).toISOString(),
    city: 'jiangyin',
    peer: 'huizhou',
    jti: uuid7(),
    purpose: 'tendering',
  }
  return {
    kind: 'asked',
    ...common,
    matter,
    agreement,
    subjects: [...subjects],
    questionHash,
    department,
    want: [{ family: 'licence' }],
  }
}

/** What a stream of entries leaves, and what was raised while it ran. */
function watched(entries: readonly Entry[], thresholds: unknown = {}) {
  const raised: Alert[] = []
  /** As of the last entry, unless it is set on. */
  const clock = { now: Date.parse(entries.at(-1)?.at ?? '') }
  const unusual = openUnusual(
    Thresholds.parse(thresholds),
    () => clock.now,
    alert => raised.push(alert),
  )
  for (const [index, entry] of entries.entries()) {
    unusual.see({ entry, receipt: { index, leaf: '', link: '', at: entry.at } })
  }
  return { alerts: unusual.alerts(), raised, unusual, clock }
}

const one = <T>(all: readonly T[]): T => {
  const [first] = all
  if (first === undefined || all.length !== 1) throw new RangeError(`${all.length} instead of one`)
  return first
}

/** A peer's ordinary fortnight: so many subjects in each office hour of each working day, scattered, found. */
function fortnight(perHour: number, peer = 'huizhou'): Entry[] {
  let number = 0
  return Array.from({ length: 14 }, (_, day) => day)
    .filter(day => day % 7 < 5)
    .flatMap(day =>
      Array.from({ length: 9 }, (_, i) =>
        question({ peer, at: at(day, 9 + i), subjects: Array.from({ length: perHour }, () => scattered(number++)) }),
      ),
    )
}

describe('a peer that walks through codes', () => {
  const walk = (codes: (n: number) => Uscc, over: Partial<Question> = {}) =>
    Array.from({ length: 60 }, (_, i) => question({ at: at(0, 10, i / 2), subjects: [codes(i)], ...over }))

  it('stands out by codes in a row, though it never asks twice and each is found', () => {
    const { measured, asker, since } = one(watched(walk(inOrder)).alerts)
    expect(asker).toEqual({ direction: 'in', name: 'huizhou' })
    expect(since).toBe(new Date(at(0, 10)).toISOString())
    expect(measured).toMatchObject({ rule: 'walk', period: 'hour', limit: 40, nothing: 0 })
    if (measured.rule === 'walk') expect(measured.row).toBeGreaterThan(30)
  })

  it('stands out by guessing, where next to nothing is found', () => {
    const { measured } = one(watched(walk(scattered, { found: 0 })).alerts)
    expect(measured).toMatchObject({ rule: 'walk', row: 1, nothing: 1 })
  })

  it('stands out by texts that are no codes at all', () => {
    const entries = Array.from({ length: 50 }, (_, i) => question({ at: at(0, 10, i / 2), subjects: ['refused'] }))
    expect(one(watched(entries).alerts).measured).toMatchObject({ rule: 'walk', fresh: 50, nothing: 1 })
  })

  it('does not stand out for asking about as many companies that are simply different ones', () => {
    expect(watched(walk(scattered)).alerts).toEqual([])
  })

  it('does not stand out for asking about the same companies again', () => {
    const week = Array.from({ length: 5 }, (_, day) =>
      question({ at: at(day, 10), subjects: Array.from({ length: 39 }, (_, i) => inOrder(i)) }),
    )
    expect(watched(week).alerts).toEqual([])
  })

  it('stands out over a day that goes slowly enough for every hour', () => {
    const slow = Array.from({ length: 12 }, (_, i) =>
      question({ at: at(0, 8 + i), subjects: Array.from({ length: 30 }, (_, j) => inOrder(i * 30 + j)) }),
    )
    expect(one(watched(slow).alerts).measured).toMatchObject({ rule: 'walk', period: 'day', limit: 200 })
  })

  it('is found whatever order it takes, and however it divides its codes into questions', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 90 }, (_, i) => i),
          { minLength: 90 },
        ),
        fc.integer({ min: 1, max: 45 }),
        (order, size) => {
          const groups = Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
            order.slice(i * size, (i + 1) * size),
          )
          const entries = groups.map((group, i) =>
            question({ at: at(0, 10) + i * 1_000, subjects: group.map(inOrder) }),
          )
          expect(watched(entries).alerts.map(({ measured }) => measured.rule)).toContain('walk')
        },
      ),
      { numRuns: 30 },
    )
  })

  it('counts a row by division and organisation code, whatever the check characters', () => {
    expect(longestRow([], 40)).toBe(0)
    expect(longestRow([company(1)], 40)).toBe(1)
    expect(longestRow([company(2), scattered(5), company(1)], 40)).toBe(2)
    const elsewhere = readSubject(completeUscc('91441300MA000002')).uscc
    expect(longestRow([company(1), elsewhere], 40)).toBe(1)
  })

  it('is found however many others are asked about besides', () => {
    const others = Array.from({ length: 400 }, (_, i) => question({ at: at(0, 10, i / 10), subjects: [scattered(i)] }))
    const entries = [...walk(inOrder), ...others].sort((a, b) => a.at.localeCompare(b.at))
    expect(watched(entries).alerts.map(({ measured }) => measured.rule)).toEqual(['walk'])
  })
})

describe('a peer that asks beyond its habit', () => {
  /** So many subjects at once, each question with its own matter. */
  const burst = (many: number, first = 500_000) =>
    Array.from({ length: many }, (_, i) => question({ at: at(14, 10), subjects: [scattered(first + i)] }))

  it('stands out, with what it was compared with', () => {
    const { alerts } = watched([...fortnight(12), ...burst(300)])
    const { measured } = one(alerts.filter(each => each.measured.rule === 'volume'))
    expect(measured).toEqual({
      rule: 'volume',
      hour: at(14, 10),
      counted: 300,
      limit: 60,
      habit: { days: 10, working: true, median: 12, most: 12 },
    })
  })

  it('does not stand out for what it does every day at that hour', () => {
    expect(watched([...fortnight(150), ...burst(200)]).alerts).toEqual([])
  })

  it('is held against what is too many for anybody while its habit is not known yet', () => {
    expect(watched(burst(300)).alerts).toEqual([])
    const { measured } = one(watched(burst(300), { volume: { most: 250 } }).alerts)
    expect(measured).toEqual({ rule: 'volume', hour: at(14, 10), counted: 300, limit: 250 })
  })

  it('is not judged by one day that was out of the ordinary: the median stays where it was', () => {
    const holiday = question({
      at: at(13, 10),
      subjects: Array.from({ length: 900 }, (_, i) => scattered(700_000 + i)),
    })
    const entries = [
      ...fortnight(12).filter(({ at: instant }) => Date.parse(instant) < at(13, 0)),
      holiday,
      ...burst(300),
    ]
    const { alerts } = watched(entries)
    expect(alerts.some(({ measured, until }) => measured.rule === 'volume' && Date.parse(until) === at(14, 10))).toBe(
      true,
    )
  })

  it('never stands out for asking less than it did, whatever it did', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }), (habit, less) => {
        const now = Math.max(1, habit - less)
        const rules = watched([...fortnight(habit), ...burst(now)]).alerts.map(({ measured }) => measured.rule)
        expect(rules).not.toContain('volume')
      }),
      { numRuns: 20 },
    )
  })

  it('is compared with itself alone: another peer’s habit changes nothing', () => {
    const entries = [...fortnight(12), ...fortnight(150, 'suqian'), ...burst(300)].sort((a, b) =>
      a.at.localeCompare(b.at),
    )
    const { alerts } = watched(entries)
    expect(alerts.filter(({ measured }) => measured.rule === 'volume').map(({ asker }) => asker.name)).toEqual([
      'huizhou',
    ])
  })
})

describe('a peer that asks outside office hours', () => {
  const night = (day: number, hour: number, many = 30) =>
    question({ at: at(day, hour), subjects: Array.from({ length: many }, (_, i) => scattered(i + day * 100 + hour)) })

  it('stands out at night, by the clock of Asia/Shanghai', () => {
    expect(one(watched([night(0, 2)]).alerts).measured).toEqual({
      rule: 'hours',
      off: 30,
      limit: 20,
      share: 1,
      most: 0.3,
    })
    expect(watched([night(0, 10)]).alerts).toEqual([])
  })

  it('stands out on a Sunday and on a holiday, and not on a Sunday that is worked', () => {
    const on = (day: string) =>
      watched([
        question({
          at: Date.parse(`${day}T10:00:00+08:00`),
          subjects: Array.from({ length: 30 }, (_, i) => scattered(i)),
        }),
      ]).alerts.map(({ measured }) => measured.rule)
    expect(on('2026-06-07')).toEqual(['hours'])
    expect(on('2026-10-01')).toEqual(['hours'])
    expect(on('2026-09-20')).toEqual([])
    expect(on('2026-06-08')).toEqual([])
  })

  it('does not stand out for a small part of what it asks by day', () => {
    expect(watched([...fortnight(12), night(14, 2)]).alerts).toEqual([])
  })

  it('is passed over where that was agreed, until the agreed day and no longer', () => {
    const exceptions = [{ asker: 'huizhou', rule: 'hours', reason: '夜间批量核查，协议第七条', until: '2026-06-02' }]
    const { alerts } = watched([night(0, 2), night(1, 2), night(2, 2)], { exceptions })
    expect(alerts.map(({ id }) => id)).toEqual(['hours:in:huizhou:2026-06-03'])
  })
})

describe('a peer that asks without a matter', () => {
  const under = (matter: string, i = 0) => question({ at: at(0, 10, i), subjects: [scattered(i)], matter })

  it.each(['无', '测试', '-', '——', '测　试！', 'ＴＥＳＴ', 'n/a', '...', '1111', ' '])('stands out by %j', matter => {
    const three = [0, 1, 2].map(i => under(matter, i))
    expect(one(watched(three).alerts).measured).toEqual({ rule: 'matter', questions: 3, limit: 3 })
    expect(watched(three.slice(1)).alerts).toEqual([])
  })

  it('does not stand out by a file number', () => {
    const entries = ['苏澄招〔2026〕7号', '测试设备采购 2026-17', '无锡路 12 号项目'].flatMap(matter =>
      [0, 1, 2, 3].map(i => under(matter, i)),
    )
    expect(watched(entries).alerts).toEqual([])
  })

  it('stands out by one matter for very many companies, in however many questions', () => {
    const entries = Array.from({ length: 21 }, (_, i) =>
      question({
        at: at(0, 10, i),
        subjects: Array.from({ length: 10 }, (_, j) => scattered(i * 10 + j)),
        matter: '专项检查',
      }),
    )
    const { measured } = one(watched(entries).alerts)
    expect(measured).toEqual({ rule: 'same-matter', matter: '专项检查', subjects: 210, limit: 200 })
  })

  it('does not stand out for asking about the same companies under one matter again and again', () => {
    const entries = Array.from({ length: 100 }, (_, i) =>
      question({ at: at(0, 10, i / 2), subjects: [scattered(1), scattered(2)], matter: '专项检查' }),
    )
    expect(watched(entries).alerts).toEqual([])
  })

  it('takes a matter for what it says, whatever signs are put between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(' ', '-', '。', '　', '!', '/', '_')),
        fc.constantFrom('无', '测试', 'test'),
        (signs, word) => {
          expect(bare([...signs, ...word, ...signs].join(''))).toBe(word)
        },
      ),
    )
  })
})

describe('alerts', () => {
  const night = (day: number, minute = 0) =>
    question({ at: at(day, 2, minute), subjects: Array.from({ length: 30 }, (_, i) => scattered(i)) })

  it('come up once for a rule, an asker and a day, and grow while it goes on', () => {
    const { alerts, raised } = watched([night(0), night(0, 10), night(0, 20), night(1)])
    expect(raised.map(({ id }) => id)).toEqual(['hours:in:huizhou:2026-06-01', 'hours:in:huizhou:2026-06-02'])
    expect(alerts[1]).toMatchObject({ first: 0, last: 2, measured: { off: 90 } })
  })

  it('look at our own departments by the same rules', () => {
    const entries = Array.from({ length: 60 }, (_, i) =>
      asked('zhaobiao', { at: at(0, 10, i / 2), subjects: [inOrder(i)] }),
    )
    const { asker, measured } = one(watched(entries).alerts)
    expect(asker).toEqual({ direction: 'out', name: 'zhaobiao' })
    expect(measured).toMatchObject({ rule: 'walk', nothing: 0 })
  })

  it('are acknowledged by what the ledger says, with who and why', () => {
    const { unusual } = watched([night(0)])
    const id = 'hours:in:huizhou:2026-06-01'
    expect(unusual.find(id)?.acknowledged).toBeUndefined()
    const entry: Entry = {
      kind: 'staff',
      at: new Date(at(0, 9)).toISOString(),
      city: 'jiangyin',
      staff: 'wang',
      role: 'operator',
      action: 'acknowledged',
      page: 'unusual',
      subjects: [],
      entries: [],
      filter: acknowledgement(id, '已电话核实 夜间批量'),
    }
    unusual.see({ entry, receipt: { index: 1, leaf: '', link: '', at: entry.at } })
    expect(unusual.find(id)?.acknowledged).toEqual({ at: entry.at, staff: 'wang', reason: '已电话核实 夜间批量' })
    unusual.see({ entry: night(0, 30), receipt: { index: 2, leaf: '', link: '', at: entry.at } })
    expect(unusual.find(id)?.acknowledged?.staff).toBe('wang')
  })

  it('never name a company, whatever was asked', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 40, maxLength: 200 }), numbers => {
        const entries = numbers.map((n, i) => question({ at: at(0, 2) + i * 1_000, subjects: [inOrder(n), 'refused'] }))
        expect(JSON.stringify(watched(entries).alerts)).not.toMatch(/9[123][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}/)
      }),
      { numRuns: 20 },
    )
  })

  it('are the same after a restart: the ledger alone makes them', () => {
    const entries = [...fortnight(12), night(14), night(14, 5)]
    expect(watched(entries).alerts).toEqual(watched(entries).alerts)
    expect(watched([])).toMatchObject({ alerts: [] })
  })

  it('are forgotten in time, and are never more than so many', () => {
    const entries = Array.from({ length: 1_200 }, (_, i) => question({ ...nightOf(i), peer: `city-${i}` }))
    expect(watched(entries).alerts.length).toBe(1_000)
    expect(watched([night(0), night(40)]).alerts.map(({ id }) => id)).toEqual(['hours:in:huizhou:2026-07-11'])
  })

  it('end after their days by the clock, though nobody asks anything meanwhile', () => {
    const { unusual, clock } = watched([night(0)])
    const { id, until } = one(unusual.alerts())
    clock.now = Date.parse(until) + SHOWN_DAYS * DAY
    expect([unusual.alerts().length, unusual.find(id)?.id]).toEqual([1, id])
    clock.now += 1
    expect([unusual.alerts(), unusual.find(id)]).toEqual([[], undefined])
  })

  const nightOf = (i: number) => ({
    at: at(0, 2, i / 100),
    subjects: Array.from({ length: 30 }, (_, j) => scattered(j)),
  })
})
