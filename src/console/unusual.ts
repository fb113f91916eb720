/** Unusual use stands out: of who asks, never of who is asked about, by rules whose numbers anybody can work out again from the log. */
import { LRUCache } from 'lru-cache'
import type { Entry } from '#ledger/entry.ts'
import type { Recorded } from '#ledger/ledger.ts'
import { dayOf, startOfDay } from '#protocol/day.ts'
import { isWorkingDay, type Rule, type Thresholds } from './thresholds.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Days for which an alert is shown after the last entry that it rests on. */
export const SHOWN_DAYS = 30
const MOST_ALERTS = 1_000

/** A city that asks us, or a department of ours that asks others. */
export type Asker = { readonly direction: 'in' | 'out'; readonly name: string }

/** What was found, in numbers, with what it was held against. */
export type Measured =
  | {
      readonly rule: 'walk'
      readonly period: 'hour' | 'day'
      /** Codes never asked about before, and how many make it worth a look. */
      readonly fresh: number
      readonly limit: number
      /** Of these codes, the most that stand in one row, each next to the one before. */
      readonly row: number
      /** The share of all subjects looked for of which nothing was found. */
      readonly nothing: number
    }
  | {
      readonly rule: 'volume'
      /** Start of the hour, epoch milliseconds. */
      readonly hour: number
      readonly counted: number
      readonly limit: number
      /** Absent: beyond what is too many whatever the habit. Hours of so many days, working or not, and their subjects. */
      readonly habit?: {
        readonly days: number
        readonly working: boolean
        readonly median: number
        readonly most: number
      }
    }
  | {
      readonly rule: 'hours'
      /** Subjects outside office hours within 24 hours. */
      readonly off: number
      readonly limit: number
      /** Shares of the last seven days. */
      readonly share: number
      readonly most: number
    }
  | { readonly rule: 'matter'; readonly questions: number; readonly limit: number }
  | {
      readonly rule: 'same-matter'
      readonly matter: string
      readonly subjects: number
      readonly limit: number
    }

export type Alert = {
  /** Rule, direction, asker and day, with a colon between: one alert for each, however long it goes on. */
  readonly id: string
  readonly asker: Asker
  /** Instants (ISO) of the first and the last entry that it rests on. */
  readonly since: string
  readonly until: string
  /** Indexes of the same two. */
  readonly first: number
  readonly last: number
  readonly measured: Measured
  readonly acknowledged?: { readonly at: string; readonly staff: string; readonly reason: string }
}

export type Unusual = {
  /** Looks at an entry; each is to be shown once, in the order of the ledger. What it counts goes by the entry's own instant. Never throws. */
  see(recorded: Recorded): void
  /** What stands out, for `SHOWN_DAYS` after its last entry, whether anybody asks meanwhile or not; the newest first. */
  alerts(): readonly Alert[]
  find(id: string): Alert | undefined
  /** Instant (ISO) of the first entry that was seen; before it nothing is known of anybody's habit. */
  since(): string | undefined
  readonly thresholds: Thresholds
}

/** `now` gives epoch milliseconds; `raised` is called once for each alert, as it comes up. */
export function openUnusual(
  thresholds: Thresholds,
  now: () => number,
  raised: (alert: Alert) => void = () => undefined,
): Unusual {
  const watched = new Map<string, (asked: Asked) => readonly Found[]>()
  const alerts = new Map<string, Alert>()
  let since: string | undefined

  const raise = (asker: Asker, { measured, first }: Found, { at, index, entry }: Asked) => {
    const id = [measured.rule, asker.direction, asker.name, dayOf(at)].join(':')
    const before = alerts.get(id)
    const alert: Alert = {
      ...(before ?? { id, asker, since: first.entry.at, first: first.index }),
      until: entry.at,
      last: index,
      measured,
    }
    alerts.set(id, alert)
    if (before !== undefined) return
    for (const [old, each] of alerts) if (alerts.size > MOST_ALERTS || !isShown(each, at)) alerts.delete(old)
    raised(alert)
  }
  const shown = () => [...alerts.values()].filter(each => isShown(each, now()))
  return {
    thresholds,
    see({ entry, receipt: { index } }) {
      since ??= entry.at
      const { id = '', acknowledged } = acknowledgementIn(entry) ?? {}
      const alert = alerts.get(id)
      if (alert !== undefined && acknowledged !== undefined) alerts.set(id, { ...alert, acknowledged })
      const asker = askerOf(entry)
      if (asker === undefined || !isAsking(entry)) return
      const at = Date.parse(entry.at)
      const key = `${asker.direction} ${asker.name}`
      let look = watched.get(key)
      if (look === undefined) {
        look = lookingAt(thresholds)
        watched.set(key, look)
      }
      const asked = { entry, index, at, hour: Math.floor(at / HOUR) * HOUR }
      for (const found of look(asked)) {
        if (!isExcepted(asker, found.measured.rule, dayOf(at), thresholds)) raise(asker, found, asked)
      }
    },
    alerts: () => shown().sort((a, b) => b.until.localeCompare(a.until) || a.id.localeCompare(b.id)),
    find: id => shown().find(each => each.id === id),
    since: () => since,
  }
}

function isShown({ until }: Alert, at: number): boolean {
  return Date.parse(until) >= at - SHOWN_DAYS * DAY
}

function isExcepted({ name }: Asker, rule: Rule, day: string, { exceptions }: Thresholds): boolean {
  return exceptions.some(each => each.asker === name && each.rule === rule && day <= each.until)
}

type Asking = Extract<Entry, { kind: 'answered' | 'refused' | 'asked' | 'declined' }>

/** An entry that says who wanted to know of whom; a question of ours counts when it is asked, not again when it is answered. */
function isAsking(entry: Entry): entry is Asking {
  return ['answered', 'refused', 'asked', 'declined'].includes(entry.kind)
}

function askerOf(entry: Entry): Asker | undefined {
  if (!isAsking(entry)) return undefined
  return 'department' in entry ? { direction: 'out', name: entry.department } : { direction: 'in', name: entry.peer }
}

/** The page whose entries acknowledge. */
export const PAGE = 'unusual'

/** What such an entry says: which alert, and why. The reason is masked already. */
export function acknowledgement(id: string, reason: string): string {
  return `${id}: ${reason}`
}

function acknowledgementIn(entry: Entry) {
  if (entry.kind !== 'staff' || entry.page !== PAGE || entry.action !== 'acknowledged') return undefined
  const [, id, reason] = /^(\S+): (.+)$/s.exec(entry.filter ?? '') ?? []
  if (id === undefined || reason === undefined) return undefined
  return { id, acknowledged: { at: entry.at, staff: entry.staff, reason } }
}

/** A question, and the hour in which it was asked (epoch milliseconds, as `at`). */
type Asked = { readonly entry: Asking; readonly index: number; readonly at: number; readonly hour: number }
type Found = { readonly measured: Measured; readonly first: Asked }

/** All that is known of one asker. What it takes is bounded: some 300 kB. */
function lookingAt(thresholds: Thresholds): (asked: Asked) => readonly Found[] {
  const isNew = newCodes()
  const walks = (['day', 'hour'] as const).map(period => walking(period, thresholds.walk))
  const matters = sayingNothing(thresholds.matter)
  const habit = habitOf(thresholds)
  return asked => {
    const fresh = [...new Set(asked.entry.subjects)].filter(code => code !== 'refused' && isNew(code))
    const found = [...walks.map(walk => walk(asked, fresh)), matters(asked), ...habit(asked)]
    return found.filter(each => each !== undefined)
  }
}

const PLACES = 1 << 16

/**
 * Tells which codes are asked about for the first time, and remembers them, in a fixed space: of two codes that fall on one
 * place the later one stays. So a code may be taken for new once more, and in one case of 4 thousand million a new one is not.
 */
function newCodes(): (code: string) => boolean {
  const places = new Uint32Array(PLACES)
  return code => {
    const [place, tag] = [fnv(code, 0x811c9dc5) % PLACES, fnv(code, 0x9e3779b9) || 1]
    if (places[place] === tag) return false
    places[place] = tag
    return true
  }
}

/** FNV-1a over a text's code units (draft-eastlake-fnv), from a basis of the caller's: to find a place, never to prove anything. */
function fnv(text: string, basis: number): number {
  let sum = basis
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return sum >>> 0
}

/** The first question of the running period with whatever is counted in it; a clock that is set back begins no new one. */
function during<T>(startOf: (at: number) => number, begin: () => T) {
  let current: { readonly start: number; readonly first: Asked; readonly counted: T } | undefined
  return (asked: Asked) => {
    const start = startOf(asked.at)
    if (current === undefined || start > current.start) current = { start, first: asked, counted: begin() }
    return current
  }
}

/** Codes kept of a period to see how they stand to each other; what is more is only counted. */
const KEPT = 5_000

function walking(period: 'hour' | 'day', { perHour, perDay, distance, ...limits }: Thresholds['walk']) {
  const limit = period === 'hour' ? perHour : perDay
  const startOf = period === 'hour' ? (at: number) => Math.floor(at / HOUR) * HOUR : startOfDay
  const now = during(startOf, () => ({
    codes: [] as string[],
    fresh: 0,
    looked: 0,
    nothing: 0,
    row: 0,
    next: 0,
  }))
  return (asked: Asked, fresh: readonly string[]): Found | undefined => {
    const { first, counted } = now(asked)
    const found = lookedFor(asked.entry)
    counted.looked += found.looked
    counted.nothing += found.nothing
    // What was no code had to be tried out as well.
    counted.fresh += fresh.length + found.malformed
    counted.codes.push(...fresh.slice(0, KEPT - counted.codes.length))
    if (counted.fresh < limit) return undefined
    if (counted.codes.length >= counted.next) {
      // Each time they have grown by a fifth: sorting thousands of codes for every question would cost more than the question.
      counted.row = longestRow(counted.codes, distance)
      counted.next = Math.ceil(counted.codes.length * 1.2)
    }
    const { fresh: all, row } = counted
    const nothing = counted.looked === 0 ? 0 : counted.nothing / counted.looked
    if (row < limits.row && nothing < limits.nothing) return undefined
    return { first, measured: { rule: 'walk', period, fresh: all, limit, row, nothing } }
  }
}

/** Of how many subjects it was looked what there is, of how many there was nothing, and how many were no code at all. */
function lookedFor(entry: Asking) {
  const malformed = entry.subjects.filter(code => code === 'refused').length
  if (entry.kind !== 'answered') return { looked: malformed, nothing: malformed, malformed }
  const families = Object.values(entry.disclosed)
  let [looked, nothing] = [0, 0]
  for (const [i, status] of entry.status.entries()) {
    // What we could not say ourselves is nothing that the asker did.
    if (status === 'unknown') continue
    looked += 1
    if (families.every(({ records }) => (records[i] ?? 0) === 0)) nothing += 1
  }
  return { looked, nothing, malformed }
}

/**
 * The most codes that stand in one row: of the same kind and registering division (characters 1 to 8 of GB 32100), each with
 * an organisation code, read without its check character, that is at most `distance` beyond the one before. What else is
 * asked about lies beside the row and makes it no shorter; by chance two or three stand together, and not a dozen.
 */
export function longestRow(codes: readonly string[], distance: number): number {
  let [longest, row, division, number] = [0, 0, '', 0]
  // All are of one length, and letters come after digits in both: as texts they are in the order of their numbers.
  for (const code of codes.toSorted()) {
    const [itsDivision, itsNumber] = [code.slice(0, 8), Number.parseInt(code.slice(8, 16), 36)]
    row = itsDivision === division && itsNumber - number <= distance ? row + 1 : 1
    longest = Math.max(longest, row)
    division = itsDivision
    number = itsNumber
  }
  return longest
}

/** Signs, blanks and everything else that is no letter and no digit. */
const SIGNS = /[^\p{L}\p{N}]+/gu

/** A matter without what does not count in it: `测　试！` is 测试. */
export function bare(matter: string): string {
  return matter.normalize('NFKC').toLowerCase().replace(SIGNS, '')
}

/** Matters of a day whose subjects are counted; who uses more of them gains nothing by going back to an old one. */
const MATTERS = 200
/** Subjects under one matter that are counted beyond those that are too many. */
const COUNTED = 1_000

function sayingNothing({ placeholders, questions: most, sameMatter }: Thresholds['matter']) {
  const empty = new Set(placeholders.map(bare))
  const saysNothing = (text: string) => text === '' || empty.has(text) || /^(.)\1*$/u.test(text)
  const now = during(startOfDay, () => ({
    questions: 0,
    first: undefined as Asked | undefined,
    under: new LRUCache<string, { readonly first: Asked; readonly codes: Set<number> }>({ max: MATTERS }),
  }))
  return (asked: Asked): Found | undefined => {
    const { counted } = now(asked)
    const { matter, subjects } = asked.entry
    const text = bare(matter)
    if (saysNothing(text)) {
      counted.questions += 1
      counted.first ??= asked
      if (counted.questions < most) return undefined
      const { questions, first } = counted
      return { first, measured: { rule: 'matter', questions, limit: most } }
    }
    const { first, codes } = counted.under.get(text) ?? { first: asked, codes: new Set<number>() }
    counted.under.set(text, { first, codes })
    for (const code of subjects) if (codes.size < COUNTED + sameMatter) codes.add(fnv(code, 0x811c9dc5))
    if (codes.size <= sameMatter) return undefined
    return { first, measured: { rule: 'same-matter', matter, subjects: codes.size, limit: sameMatter } }
  }
}

/** What an hour is held against, worked out once as it begins: nothing that is asked within it changes that. */
type Measure = {
  readonly hour: number
  readonly isOff: boolean
  /** The most that is not too many, with the habit that says so where one is known. */
  readonly limit: number
  readonly habit: Extract<Measured, { rule: 'volume' }>['habit']
  /** Subjects of the hours before: outside office hours within 24 hours and within seven days, and all of seven days. */
  readonly off: number
  readonly offOfWeek: number
  readonly ofWeek: number
  /** The first question outside office hours within 24 hours, where it was asked before this hour. */
  readonly firstOff: Asked | undefined
}

/** Subjects by hour, as far back as is compared; and what of the newest hour is beyond that, or beside office hours. */
function habitOf({ volume, hours }: Thresholds) {
  const past = new Map<number, { subjects: number; readonly isOff: boolean; readonly first: Asked }>()
  const kept = (Math.max(volume.days, 7) + 1) * DAY
  const isWorking = workingDays(hours)
  const in_ = (hour: number) => past.get(hour)?.subjects ?? 0
  let begun: number | undefined
  let current: Measure | undefined

  const isOff = (hour: number) => {
    const ofDay = (hour - startOfDay(hour)) / HOUR
    return ofDay < hours.from || ofDay >= hours.until || !isWorking(dayOf(hour))
  }
  const habitAt = (hour: number): Pick<Measure, 'limit' | 'habit'> => {
    const working = isWorking(dayOf(hour))
    const days = Array.from({ length: volume.days }, (_, i) => hour - (i + 1) * DAY).filter(
      // An asker is compared with itself: the days before its first question are nobody's habit.
      at => begun !== undefined && at >= startOfDay(begun) && isWorking(dayOf(at)) === working,
    )
    if (days.length < volume.learning) return { limit: volume.most, habit: undefined }
    const samples = days.flatMap(at => [at - HOUR, at, at + HOUR]).map(in_)
    const median = medianOf(samples)
    const deviation = 1.4826 * medianOf(samples.map(each => Math.abs(each - median)))
    const limit = Math.ceil(Math.max(volume.least, volume.times * median, median + volume.deviations * deviation))
    return { limit, habit: { days: days.length, working, median, most: Math.max(...samples) } }
  }
  const measureAt = (hour: number): Measure => {
    for (const old of past.keys()) if (old < hour - kept) past.delete(old)
    const before = [...past].filter(([at]) => at < hour && at > hour - 7 * DAY)
    const sum = (of: typeof before) => of.reduce((total, [, { subjects }]) => total + subjects, 0)
    const off = before.filter(([, each]) => each.isOff)
    const lately = off.filter(([at]) => at > hour - DAY)
    const [oldest] = lately.toSorted(([a], [b]) => a - b)
    const sums = { off: sum(lately), offOfWeek: sum(off), ofWeek: sum(before) }
    return { hour, isOff: isOff(hour), ...habitAt(hour), ...sums, firstOff: oldest?.[1].first }
  }
  const beyond = (counted: number, { hour, limit, habit }: Measure): Measured | undefined => {
    if (counted > volume.most) return { rule: 'volume', hour, counted, limit: volume.most }
    return habit === undefined || counted <= limit ? undefined : { rule: 'volume', hour, counted, limit, habit }
  }
  const beside = (counted: number, of: Measure): Measured | undefined => {
    const off = of.off + counted
    const share = (of.offOfWeek + counted) / (of.ofWeek + counted)
    if (!of.isOff || off <= hours.least || share < hours.share) return undefined
    return { rule: 'hours', off, limit: hours.least, share, most: hours.share }
  }
  return (each: Asked): Found[] => {
    const { at, entry } = each
    begun ??= at
    // A clock that is set back adds to the hour that runs.
    if (current === undefined || each.hour > current.hour) current = measureAt(each.hour)
    const { hour } = current
    const { subjects, first } = past.get(hour) ?? { subjects: 0, first: each }
    const counted = subjects + entry.subjects.length
    past.set(hour, { subjects: counted, isOff: current.isOff, first })
    const [volumes, off] = [beyond(counted, current), beside(counted, current)]
    return [
      ...(volumes === undefined ? [] : [{ measured: volumes, first }]),
      ...(off === undefined ? [] : [{ measured: off, first: current.firstOff ?? first }]),
    ]
  }
}

function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = sorted.length % 2 === 1 ? [sorted[half], sorted[half]] : [sorted[half - 1], sorted[half]]
  return (low + high) / 2
}

/** Which days are working days; each is worked out once. */
function workingDays(hours: Thresholds['hours']): (day: string) => boolean {
  const known = new LRUCache<string, boolean>({ max: 100 })
  return day => {
    const found = known.get(day) ?? isWorkingDay(day, hours)
    known.set(day, found)
    return found
  }
}
