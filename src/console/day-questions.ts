/** The questions of one day as they were counted: by hour, peer, purpose and outcome, and why they were refused; no subject stands here. */
import { html } from 'hono/html'
import { startOfDay } from '#protocol/day.ts'
import { isRefusalCode, refusals } from '#protocol/refusal.ts'
import { type Bars, drawn, picture } from './chart.ts'
import { BASE, type Visit } from './desk.ts'
import { empty, type Markup } from './layout.ts'
import { cityName, clock, countOf, dayOf, purposeName } from './shown.ts'
import type { Count } from './tally.ts'
import { type Language, words as shared, spoken } from './words.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The day that is looked at: from, and until (not included), epoch milliseconds. */
export type Day = { readonly name: 'today' | 'yesterday'; readonly from: number; readonly until: number }

export function dayIn(c: Visit): Day {
  const start = startOfDay(c.get('desk').city.now())
  const today: Day = { name: 'today', from: start, until: start + DAY }
  return c.req.query('day') === 'yesterday' ? before(today) : today
}

export function before({ from }: Day): Day {
  return { name: 'yesterday', from: from - DAY, until: from }
}

/** `GET /chart/in.svg` and `/chart/out.svg`: the day's questions by hour. */
export function todayChart(c: Visit): Promise<Response> {
  const direction = c.req.path.endsWith('/out.svg') ? 'out' : 'in'
  const day = dayIn(c)
  const counts = c.get('desk').tally.counts(day.from, day.until)
  return drawn(
    c,
    barsOf(
      counts.filter(each => each.direction === direction),
      direction,
      day,
      c.get('language'),
    ),
  )
}

export function sum(counts: readonly Count[], outcome?: Count['outcome']): number {
  return counts.reduce((n, each) => (outcome === undefined || each.outcome === outcome ? n + each.questions : n), 0)
}

/** How many of what came in was refused; they are one step away. */
export function refusalsOf(inbound: readonly Count[], day: Day, c: Visit): Markup | string {
  const refused = sum(inbound, 'refused')
  const text = words[c.get('language')].refusedOf(countOf(refused, c.get('language')))
  return refused === 0 ? text : html`<a href="${logOf('in', day, { outcome: 'refused' })}">${text}</a>`
}

/** Whoever comes in the morning looks for what went wrong the day before. */
export function yesterdaysRefusals(yesterday: Day, c: Visit): Markup | '' {
  const counts = c.get('desk').tally.counts(yesterday.from, yesterday.until)
  const refused = counts.filter(({ direction, outcome }) => direction === 'in' && outcome === 'refused')
  if (refused.length === 0) return ''
  const text = words[c.get('language')].refusedYesterday(countOf(sum(refused), c.get('language')))
  return html`<a class="button" href="${logOf('in', yesterday, { outcome: 'refused' })}">${text}</a>`
}

const outcomesOf = { in: ['answered', 'refused'], out: ['answered', 'refused', 'unknown', 'declined'] } as const

const hueOf = { answered: 'good', refused: 'bad', unknown: 'unknown', declined: 'declined' } as const

function outcomeName(outcome: Count['outcome'], language: Language): string {
  return outcome === 'declined' ? words[language].declined : shared[language][outcome]
}

function barsOf(counts: readonly Count[], direction: 'in' | 'out', day: Day, language: Language): Bars {
  const hours = Array.from({ length: Math.round((day.until - day.from) / HOUR) }, (_, i) => day.from + i * HOUR)
  return {
    labels: hours.map(hour => clock(hour).slice(11, 16)),
    series: outcomesOf[direction].map(outcome => ({
      name: outcomeName(outcome, language),
      hue: hueOf[outcome],
      values: hours.map(hour =>
        sum(
          counts.filter(each => each.hour === hour),
          outcome,
        ),
      ),
    })),
  }
}

export function direction(way: 'in' | 'out', counts: readonly Count[], day: Day, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const title = way === 'in' ? s.inbound : s.outbound
  if (counts.length === 0) {
    return html`<section class="sheet"><h2>${title}</h2>${empty(t.quiet, way === 'in' ? t.quietIn : t.quietOut)}</section>`
  }
  const query = new URLSearchParams(day.name === 'yesterday' ? { day: 'yesterday' } : {})
  return html`<section class="sheet"><h2>${title}</h2><p class="soft small">${way === 'in' ? t.countsIn : t.countsOut}</p>
<figure>${picture(way, query, t.byHourOf(title))}</figure>
<details><summary>${t.byHour}</summary>${hourTable(counts, way, day, c)}</details>
${countTable(counts, way, day, 'peer', c)}
${countTable(counts, way, day, 'purpose', c)}
</section>`
}

function hourTable(counts: readonly Count[], way: 'in' | 'out', day: Day, c: Visit): Markup {
  const language = c.get('language')
  const { labels, series } = barsOf(counts, way, day, language)
  const rows = labels.map((label, i) => ({ label, values: series.map(({ values }) => values[i] ?? 0) }))
  const busy = rows.filter(({ values }) => values.some(n => n > 0))
  return html`<div class="wide" tabindex="0" role="region" aria-label="${words[language].byHour}"><table class="counts">
<thead><tr><th scope="col">${words[language].hour}</th>${series.map(({ name }) => html`<th scope="col" class="n">${name}</th>`)}</tr></thead>
<tbody>${busy.map(({ label, values }) => html`<tr><th scope="row" class="tabular">${label}</th>${values.map(n => html`<td class="n">${countOf(n, language)}</td>`)}</tr>`)}</tbody>
</table></div>`
}

/** Where the log shows what a number counts. */
function logOf(way: 'in' | 'out', day: Day, filter: Readonly<Record<string, string>>): string {
  const on = dayOf(day.from)
  return `${BASE}/${way}?${new URLSearchParams({ from: on, until: on, ...filter })}`
}

function countTable(counts: readonly Count[], way: 'in' | 'out', day: Day, by: 'peer' | 'purpose', c: Visit): Markup {
  const language = c.get('language')
  const s = shared[language]
  const groups = [...Map.groupBy(counts, each => each[by])].sort(([, a], [, b]) => sum(b) - sum(a))
  const outcomes = outcomesOf[way]
  // Where purposes are counted together, a line of one purpose may be without some that its log shows.
  const isFolded = groups.some(([group]) => group === '…')
  const nameOf = (code: string) =>
    by === 'peer' ? (code === '*' ? words[language].allCities : cityName(code, c)) : purposeName(code, c)
  const cell = (group: string, outcome: Count['outcome'], n: number) => {
    if (n === 0) return html`<td class="n soft">0</td>`
    const to = logOf(way, day, { [by]: group, outcome })
    return html`<td class="n">${isFolded ? countOf(n, language) : html`<a href="${to}">${countOf(n, language)}</a>`}</td>`
  }
  return html`<div class="wide" tabindex="0" role="region" aria-label="${by === 'peer' ? words[language].byPeer : words[language].byPurpose}"><table class="counts">
<thead><tr><th scope="col">${by === 'peer' ? s.peer : s.purpose}</th>${outcomes.map(outcome => html`<th scope="col" class="n">${outcomeName(outcome, language)}</th>`)}<th scope="col" class="n">${s.total}</th></tr></thead>
<tbody>${groups.map(
    ([group, of]) =>
      html`<tr><th scope="row">${nameOf(group)}</th>${outcomes.map(outcome => cell(group, outcome, sum(of, outcome)))}<td class="n">${countOf(sum(of), language)}</td></tr>`,
  )}</tbody>
</table></div>`
}

export function refusalsTable(counts: readonly Count[], day: Day, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const refused = counts.filter(({ code }) => code !== undefined)
  const groups = [...Map.groupBy(refused, ({ direction, peer, code }) => `${direction} ${code} ${peer}`).values()].sort(
    (a, b) => sum(b) - sum(a),
  )
  if (groups.length === 0) {
    return html`<section class="sheet"><h2>${t.refusals}</h2>${empty(t.noRefusals, t.noRefusalsWhy)}</section>`
  }
  return html`<section class="sheet"><h2>${t.refusals}</h2>
<table class="stacked">
<thead><tr><th scope="col">${s.reason}</th><th scope="col">${t.way}</th><th scope="col">${s.peer}</th><th scope="col" class="n">${t.questions}</th><th scope="col" class="screen"><span class="aside">${s.show}</span></th></tr></thead>
<tbody>${groups.map(of => {
    const { direction = 'in', peer = '', code = '' } = of[0] ?? {}
    const why = isRefusalCode(code) ? refusals[code][language] : code
    const who = peer === '*' ? t.allCities : cityName(peer, c)
    const to = logOf(direction, day, { outcome: code, peer })
    return html`<tr><th scope="row">${why}</th>
<td data-label="${t.way}">${direction === 'in' ? s.inbound : s.outbound}</td><td data-label="${s.peer}">${who}</td>
<td class="n" data-label="${t.questions}">${countOf(sum(of), language)}</td><td class="screen"><a href="${to}">${s.show}<span class="aside"> ${why} ${who}</span></a></td></tr>`
  })}</tbody>
</table></section>`
}

const words = spoken({
  refusedYesterday: (n: string) => ({ zh: `昨日未受理 ${n}`, en: `${n} refused yesterday` }),
  refusedOf: (n: string) => ({ zh: `其中未受理 ${n}`, en: `${n} refused` }),
  quiet: { zh: '这一天没有查询', en: 'No questions on this day' },
  quietIn: {
    zh: '其他城市向本市查询后，按小时、城市、目的的数量显示在这里。',
    en: 'Once other cities ask us, counts by hour, city and purpose appear here.',
  },
  quietOut: {
    zh: '本市部门向其他城市查询后，数量显示在这里。',
    en: 'Once our departments ask other cities, counts appear here.',
  },
  countsIn: {
    zh: '“已答复”包括部分答复，以及所查主体均未受理的答复。',
    en: '“Answered” includes what was answered in part, or for no subject.',
  },
  countsOut: {
    zh: '向几个城市查询，计几次。',
    en: 'A question to several cities counts once for each.',
  },
  byHour: { zh: '按小时的数字', en: 'Figures by hour' },
  byHourOf: (title: string) => ({
    zh: `${title}，按小时，数字见下表`,
    en: `${title} by hour; the figures are in the table below`,
  }),
  byPeer: { zh: '按城市', en: 'By city' },
  byPurpose: { zh: '按目的', en: 'By purpose' },
  hour: { zh: '小时', en: 'Hour' },
  allCities: { zh: '所有城市', en: 'All cities' },
  declined: { zh: '本市未发出', en: 'Not sent' },
  refusals: { zh: '未受理的查询及原因', en: 'What was refused, and why' },
  noRefusals: { zh: '没有未受理的查询', en: 'Nothing was refused' },
  noRefusalsWhy: {
    zh: '如有查询未予受理，原因和数量显示在这里。',
    en: 'Were a question refused, the reason and the number would be here.',
  },
  way: { zh: '方向', en: 'Direction' },
  questions: { zh: '查询数', en: 'Questions' },
})
