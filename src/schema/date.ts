/** Dates as cities write them, read into calendar days that exist, or not at all. */
import type { DateFormat, Dates } from './format.ts'
import type { Day } from './record.ts'

/** A day, `indefinite`, null for a text that means "none", undefined for a text that is no date. */
export type ReadDay = (text: string) => Day | null | undefined

/** Compiles how a city writes dates: one closure for reading, which allocates nothing for a day that it has read before. */
export function dayReader(dates: Dates): ReadDay {
  const readers = dates.formats.map(formatReader)
  const sentinels = new Map<string, null | 'indefinite'>()
  for (const text of dates.indefinite) sentinels.set(text, 'indefinite')
  for (const text of dates.none) sentinels.set(text, null)
  const maybe = sentinelYears([...sentinels.keys()])
  const known = new Map<string, Day | null | undefined>()

  const look = (text: string): Day | null | undefined => {
    const suspect = maybe(text)
    if (suspect) {
      const meaning = sentinels.get(text)
      if (meaning !== undefined) return meaning
    }
    for (const read of readers) {
      const day = read(text)
      if (day === undefined) continue
      const meaning = suspect ? sentinels.get(day) : undefined
      return meaning === undefined ? day : meaning
    }
    return undefined
  }
  // Few days stand in many rows, and the same in several columns of one.
  return text => {
    const before = known.get(text)
    if (before !== undefined) return before
    const day = look(text)
    // Bounded, or a column of free text would fill the memory.
    if (known.size >= 4096) known.clear()
    if (text.length <= 24) known.set(text, day)
    return day
  }
}

/**
 * Every format begins with the year, and the last two digits of the few years that are sentinels (1899, 1900, 2099,
 * 9999) tell nearly all dates from them, so that most are not looked up at all.
 */
function sentinelYears(texts: readonly string[]): (text: string) => boolean {
  const suspect = new Set(texts.map(yearDigits))
  const known = Uint8Array.from({ length: 100 }, (_, digits) => (suspect.has(digits) ? 1 : 0))
  return text => known[yearDigits(text)] !== 0
}

function yearDigits(text: string): number {
  return (text.charCodeAt(2) - 48) * 10 + text.charCodeAt(3) - 48
}

/** Compiles the way back. Gives undefined for an indefinite date where the city has no word for it. */
export function dayWriter(dates: Dates): (day: Day) => string | undefined {
  const [format = 'YYYY-MM-DD'] = dates.formats
  const [word] = dates.indefinite
  const indefinite = word !== undefined && isDay(word) ? writeDay(word, format) : word
  return day => (day === 'indefinite' ? indefinite : isDay(day) ? writeDay(day, format) : undefined)
}

/**
 * The instant that a supply column states: a day is its first moment in China, whose clocks have stood at +08:00 since
 * 1991. Undefined for a text of another form.
 */
export function instantReader(format: DateFormat): (text: string) => string | undefined {
  const read = formatReader(format)
  return text => {
    const day = read(text.trim())
    if (day === undefined) return undefined
    const time = /[ T](\d{2}:\d{2}:\d{2})/.exec(text)?.[1] ?? '00:00:00'
    const at = Date.parse(`${day}T${time}+08:00`)
    return Number.isNaN(at) ? undefined : new Date(at).toISOString()
  }
}

/** Whether a text is a calendar day YYYY-MM-DD that exists. */
export function isDay(text: string): boolean {
  return text.length === 10 && readIso(text) !== undefined
}

const readIso = formatReader('YYYY-MM-DD')

function formatReader(format: DateFormat): (text: string) => Day | undefined {
  const padded = format.includes('MM')
  const tail = format.endsWith('*')
  const separators = [...format.replace(/[YMD*]/g, '').trimEnd()].map(character => character.charCodeAt(0))
  const [first = 0, second = 0, last = 0] = separators
  const spaced = format.endsWith(' *')
  const iso = padded && first === 45

  return text => {
    const year = number(text, 0, 4)
    let at = 4
    if (first !== 0 && text.charCodeAt(at++) !== first) return undefined
    const monthWidth = padded || isDigit(text, at + 1) ? 2 : 1
    const month = number(text, at, monthWidth)
    at += monthWidth
    if (second !== 0 && text.charCodeAt(at++) !== second) return undefined
    const dayWidth = padded || isDigit(text, at + 1) ? 2 : 1
    const day = number(text, at, dayWidth)
    at += dayWidth
    if (last !== 0 && text.charCodeAt(at++) !== last) return undefined
    if (at !== text.length && !tail) return undefined
    // What follows a date has to be set off from it, or 2019-9-123 would pass as the 12th.
    if (at !== text.length && spaced && text[at] !== ' ' && text[at] !== 'T') return undefined
    if (!(year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return undefined
    return iso ? (text.length === 10 ? text : text.slice(0, 10)) : `${year}-${two(month)}-${two(day)}`
  }
}

function writeDay(day: Day, format: DateFormat): string {
  const [year = '', month = '', date = ''] = day.split('-')
  const plain = (digits: string) => String(Number(digits))
  return format
    .replace('YYYY', year)
    .replace(/MM?/, format.includes('MM') ? month : plain(month))
    .replace(/DD?/, format.includes('DD') ? date : plain(date))
    .replace(' *', ' 00:00:00')
    .replace('*', '')
}

function number(text: string, from: number, width: number): number {
  let value = 0
  for (let i = from; i < from + width; i++) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
