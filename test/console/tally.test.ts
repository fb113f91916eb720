import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/sqlite.ts'
import type { Fault } from '#protocol/fault.ts'
import { follow } from '../../src/console/follow.ts'
import { openLookout } from '../../src/console/lookout.ts'
import { openTally } from '../../src/console/tally.ts'
import { readThresholds, THRESHOLDS, Thresholds } from '../../src/console/thresholds.ts'
import { answered, company, directory, newLedger, uuid7 } from '../ledger/sample.ts'

const HOUR = 3_600_000
const fail = (error: unknown) => {
  throw error
}
const at = (instant: number) => ({ at: new Date(instant).toISOString() })

async function append(ledger: Ledger, ...entries: Entry[]): Promise<void> {
  await Promise.all(entries.map(entry => ledger.append(entry)))
}

function declined(instant: number, purpose = 'tendering'): Entry {
  const said = { department: 'zhaobiao', purpose, matter: '苏澄招〔2026〕7号', subjects: [company(1)] }
  return { kind: 'declined', ...at(instant), city: 'jiangyin', peer: 'huizhou', ...said, code: 'department.purpose' }
}

describe('who follows the ledger', () => {
  it('sees every entry once and in order, those that come while it reads as well', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    const entries = () => Array.from({ length: 250 }, () => answered().entry)
    await append(ledger, ...entries())
    const seen: number[] = []
    await using following = follow(ledger, 0, ({ receipt }) => seen.push(receipt.index), fail)
    await append(ledger, ...entries())
    await following.caughtUp()
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i))
    await append(ledger, answered().entry)
    await following.caughtUp()
    expect(seen.at(-1)).toBe(500)
    expect(following.next()).toBe(501)
  })

  it('sees what this process appends at once, without reading it back, and what another appends by reading it', async () => {
    const path = newLedger()
    await using ledger = openLedger(path, 'jiangyin')
    await using other = openLedger(path, 'jiangyin')
    await append(ledger, answered().entry)
    const read: number[] = []
    const counting: Ledger = {
      ...ledger,
      entries: async range => {
        const entries = await ledger.entries(range)
        read.push(...entries.map(({ receipt }) => receipt.index))
        return entries
      },
    }
    const seen: number[] = []
    await using following = follow(counting, 0, ({ receipt }) => seen.push(receipt.index), fail)
    await following.caughtUp()
    await append(ledger, answered().entry, answered().entry)
    expect([seen, read]).toEqual([[0, 1, 2], [0]])
    await append(other, answered().entry)
    await append(ledger, answered().entry)
    await following.caughtUp()
    expect([seen, read]).toEqual([
      [0, 1, 2, 3, 4],
      [0, 3, 4],
    ])
  })

  it('begins with the first entry of its time, and reads nothing older', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    const now = Date.now()
    for (let i = 20; i > 0; i--) await append(ledger, answered(at(now - i * HOUR)).entry)
    const seen: number[] = []
    await using following = follow(ledger, now - 5 * HOUR, ({ receipt }) => seen.push(receipt.index), fail)
    await following.caughtUp()
    expect(seen).toEqual([15, 16, 17, 18, 19])
  })

  it('tells what it cannot read, and goes on where it was as soon as it can', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    await append(ledger, answered().entry, answered().entry)
    let broken = true
    const flaky: Ledger = {
      ...ledger,
      entries: async range => {
        if (broken) throw new Error('the disk is gone')
        return ledger.entries(range)
      },
    }
    const told: unknown[] = []
    const seen: number[] = []
    await using following = follow(
      flaky,
      0,
      ({ receipt }) => seen.push(receipt.index),
      error => told.push(error),
    )
    await following.caughtUp()
    expect([seen, String(told[0])]).toEqual([[], 'Error: the disk is gone'])
    broken = false
    await following.caughtUp()
    expect(seen).toEqual([0, 1])
  })

  it('lets go at once, before the ledger does', async () => {
    const ledger = openLedger(newLedger(), 'jiangyin')
    await append(ledger, ...Array.from({ length: 300 }, () => answered().entry))
    const following = follow(ledger, 0, () => undefined, fail)
    await following[Symbol.asyncDispose]()
    await ledger.close()
    await following.caughtUp()
  })
})

describe('the tally', () => {
  const shown = (...entries: Entry[]) => {
    const tally = openTally()
    for (const [index, entry] of entries.entries()) {
      tally.see({ entry, receipt: { index, leaf: '', link: '', at: entry.at } })
    }
    return tally
  }
  const hour = Math.floor(Date.parse('2026-06-01T02:00:00Z') / HOUR) * HOUR

  it('counts questions and subjects by hour, direction, city, purpose, outcome and reason', () => {
    const two = answered({
      ...at(hour + 1),
      subjects: [company(1), company(2)],
      status: ['answered', 'answered'],
    }).entry
    const { purpose, matter, agreement, subjects, questionHash } = answered().entry
    const exchange = {
      city: 'jiangyin',
      peer: 'huizhou',
      jti: uuid7(),
      purpose,
      matter,
      agreement,
      subjects,
      questionHash,
    }
    const refused: Entry = { kind: 'refused', ...at(hour + 2), ...exchange, code: 'agreement.purpose' }
    const ours = { ...exchange, department: 'zhaobiao' }
    const asked: Entry = { kind: 'asked', ...at(hour + HOUR), ...ours, want: [{ family: 'licence' }] }
    const outcome: Entry = { kind: 'outcome', ...at(hour + HOUR), ...ours, outcome: 'unknown', code: 'peer.slow' }
    const tally = shown(two, answered(at(hour + 3)).entry, refused, asked, outcome, declined(hour + HOUR))
    const line = { peer: 'huizhou', purpose: 'bidding' }
    expect(tally.counts(0, Number.POSITIVE_INFINITY)).toEqual([
      { ...line, direction: 'in', outcome: 'answered', hour, questions: 2, subjects: 3 },
      { ...line, direction: 'in', outcome: 'refused', code: 'agreement.purpose', hour, questions: 1, subjects: 1 },
      ...[
        { purpose: 'bidding', outcome: 'unknown', code: 'peer.slow' },
        { purpose: 'tendering', outcome: 'declined', code: 'department.purpose' },
      ].map(each => ({
        direction: 'out',
        peer: 'huizhou',
        department: 'zhaobiao',
        ...each,
        hour: hour + HOUR,
        questions: 1,
        subjects: 1,
      })),
    ])
    expect(tally.counts(hour + 1, hour + HOUR)).toEqual([])
    expect(tally.counts(hour + 1, hour + HOUR + 1)).toHaveLength(2)
  })

  it('keeps 48 hours and forgets the rest, whatever comes late', () => {
    const tally = shown(
      ...Array.from({ length: 60 }, (_, i) => answered(at(hour + i * HOUR)).entry),
      answered(at(hour)).entry,
    )
    const counts = tally.counts(0, Number.POSITIVE_INFINITY)
    expect(counts.map(count => count.hour)).toEqual(Array.from({ length: 48 }, (_, i) => hour + (i + 12) * HOUR))
  })

  it('stays small when purposes are made up, and loses no question', () => {
    const many = Array.from({ length: 3_000 }, (_, i) => answered({ ...at(hour), purpose: `purpose-${i}` }).entry)
    const counts = shown(...many).counts(0, Number.POSITIVE_INFINITY)
    expect(counts.length).toBeLessThanOrEqual(1_001)
    expect(counts.reduce((sum, { questions }) => sum + questions, 0)).toBe(3_000)
  })
})

describe('thresholds', () => {
  it('are as documented where a city has no file of its own, and that is said', () => {
    const faults: Fault[] = []
    expect(readThresholds(directory(), faults)).toEqual({ thresholds: Thresholds.parse({}), own: false })
    expect(faults).toEqual([])
  })

  it('stand in the shipped file as they hold without one', () => {
    const shipped = readFileSync(join(import.meta.dirname, '..', '..', 'federation-config', THRESHOLDS), 'utf8')
    expect(JSON.parse(shipped)).toEqual(Thresholds.parse({}))
  })

  it('are each explained in the manual', () => {
    const manual = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'unusual.md'), 'utf8')
    for (const [rule, limits] of Object.entries(Thresholds.parse({}))) {
      if (!Array.isArray(limits))
        for (const name of Object.keys(limits)) expect(manual).toContain(`\`${rule}.${name}\``)
    }
  })

  it.each([
    [{ walk: { perHour: 0 } }, 'walk.perHour'],
    [{ hours: { from: 20, until: 8 } }, 'hours'],
    [{ nights: {} }, ''],
    [{ exceptions: [{ asker: 'huizhou', rule: 'hours', until: '2026-12-31' }] }, 'exceptions[0].reason'],
  ])('that are wrong are a fault of the file: %j', (value, path) => {
    const folder = directory()
    writeFileSync(join(folder, THRESHOLDS), JSON.stringify(value))
    const faults: Fault[] = []
    readThresholds(folder, faults)
    expect(faults.map(fault => [fault.file, fault.path])).toEqual([[THRESHOLDS, path]])
  })

  it('change one by one: what the file leaves out is as shipped', () => {
    const folder = directory()
    appendFileSync(join(folder, THRESHOLDS), '{"walk":{"perHour":10}}')
    const { thresholds, own } = readThresholds(folder, [])
    expect(own).toBe(true)
    expect(thresholds).toEqual({ ...Thresholds.parse({}), walk: { ...Thresholds.parse({}).walk, perHour: 10 } })
  })
})

describe('the lookout', () => {
  function listening(): { log: Logger; lines: () => Record<string, unknown>[] } {
    const lines: string[] = []
    return { log: pino({}, { write: line => lines.push(line) }), lines: () => lines.map(line => JSON.parse(line)) }
  }
  /** At night, today, in Asia/Shanghai; the gateway's clock is set to a moment after it. */
  const night = Date.parse('2026-06-02T02:00:00+08:00')
  const walk = () =>
    Array.from(
      { length: 60 },
      (_, i) => answered({ ...at(night + i * 1_000), subjects: [company(i)], matter: '无' }).entry,
    )

  it('raises an alert in the metrics and in the log, which name the peer and never a subject or a matter', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    await append(ledger, ...walk())
    const { log, lines } = listening()
    const registry = new Registry()
    const thresholds = { thresholds: Thresholds.parse({}), own: true }
    await using lookout = openLookout(ledger, thresholds, registry, log, () => night + 5 * 60_000)
    expect(await lookout.caughtUp(5_000)).toBe(true)
    expect(
      lookout.unusual
        .alerts()
        .map(({ measured }) => measured.rule)
        .sort(),
    ).toEqual(['hours', 'matter', 'walk'])
    const text = await registry.metrics()
    expect(text).toContain('xinqiao_unusual_use{direction="in",asker="huizhou",rule="walk"} 1')
    const said = lines().map(({ rule, name, direction, msg }) => ({ rule, name, direction, msg }))
    expect(said).toContainEqual({ rule: 'walk', name: 'huizhou', direction: 'in', msg: 'unusual use' })
    expect(JSON.stringify(lines()) + text).not.toMatch(/91320281|无/)
    expect(lookout.tally.counts(0, Number.POSITIVE_INFINITY)).toMatchObject([{ questions: 60 }])
  })

  it('tells the log no old news after a restart, and still shows it', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    await append(ledger, ...walk())
    const { log, lines } = listening()
    const later = () => night + 3 * 86_400_000
    const thresholds = { thresholds: Thresholds.parse({}), own: false }
    await using lookout = openLookout(ledger, thresholds, new Registry(), log, later)
    expect(await lookout.caughtUp(5_000)).toBe(true)
    expect(lookout.unusual.alerts()).toHaveLength(3)
    // That the city has no file of its own is said instead, at every start.
    expect(lines().map(({ msg, file }) => [msg, file])).toEqual([
      ['there is no such file: the shipped thresholds of unusual use hold', 'unusual.json'],
    ])
  })
})
