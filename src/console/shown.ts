/** How facts are written on a page: times in Asia/Shanghai, codes no longer than the reader's role needs, counts in groups. */
import { html } from 'hono/html'
import type { Visit } from './desk.ts'
import { type Markup, reaches } from './layout.ts'
import type { Staff } from './staff.ts'
import type { Language } from './words.ts'

const zone = 'Asia/Shanghai'

/** Takes an instant in UTC (ISO) or epoch milliseconds; gives `2026-11-22 16:55:49`, Asia/Shanghai. */
export function clock(at: string | number): string {
  const time = Temporal.Instant.fromEpochMilliseconds(typeof at === 'number' ? at : Date.parse(at))
  return time.toZonedDateTimeISO(zone).toPlainDateTime().toString({ smallestUnit: 'second' }).replace('T', ' ')
}

/** The same as a `<time>`, whose `datetime` says the instant exactly. */
export function timeOf(at: string): Markup {
  return html`<time datetime="${at}">${clock(at)}</time>`
}

/** The day of an instant, `2026-11-22`, Asia/Shanghai. */
export function dayOf(at: string | number): string {
  return clock(at).slice(0, 10)
}

/** A subject's code as this person may see it: whole for who needs it, else the first and last four characters. */
export function codeOf(uscc: string, staff: Staff | undefined): string {
  if (uscc.length !== 18) return uscc
  return staff !== undefined && reaches(staff.role, 'auditor') ? uscc : `${uscc.slice(0, 4)}…${uscc.slice(-4)}`
}

const counts = { zh: new Intl.NumberFormat('zh-CN'), en: new Intl.NumberFormat('en-GB') }

export function countOf(n: number, language: Language): string {
  return counts[language].format(n)
}

/** The name of a city in the reader's language; its id where it is not, or no longer, a member. */
export function cityName(id: string, c: Visit): string {
  return c.get('desk').city.members.find(id)?.name[c.get('language')] ?? id
}

/** The name under which a department of ours is registered; its id where it is no longer. */
export function departmentName(id: string, c: Visit): string {
  return (
    c
      .get('desk')
      .departments.all()
      .find(each => each.id === id)?.name ?? id
  )
}

/** The word of the vocabulary for a purpose; its code where there is none. */
export function purposeName(code: string, c: Visit): string {
  return c.get('desk').city.vocabulary.purposes.get(code)?.[c.get('language')] ?? code
}
