/** Today shows in one look whether anything needs somebody: what was asked and answered, what was refused and why, what ends soon. */
import { html } from 'hono/html'
import { z } from 'zod'
import { freshnessToday } from '#agreement/disclose.ts'
import type { Contradiction } from '#ledger/log.ts'
import { startOfDay } from '#protocol/day.ts'
import { freshnessWords } from '#protocol/freshness.ts'
import { CityId } from '#protocol/message.ts'
import { isRefusalCode, Refusal, refusals } from '#protocol/refusal.ts'
import { type Bars, drawn, picture } from './chart.ts'
import { BASE, type Condition, type Visit } from './desk.ts'
import { type Ending, endings } from './endings.ts'
import { field } from './form.ts'
import { type Latency, latencyOf } from './latency.ts'
import { empty, type Markup, page, reaches, trouble } from './layout.ts'
import { cityName, clock, countOf, dayOf, purposeName } from './shown.ts'
import type { Count } from './tally.ts'
import { type Language, words as shared, spoken } from './words.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Milliseconds that the page waits for what was just now entered to be counted. */
const PATIENCE = 1_000
/** How many of what ends next are shown at once. */
const ENDINGS = 6

/** The day that is looked at: from, and until (not included), epoch milliseconds. */
type Day = { readonly name: 'today' | 'yesterday'; readonly from: number; readonly until: number }

function dayIn(c: Visit): Day {
  const start = startOfDay(c.get('desk').city.now())
  const today: Day = { name: 'today', from: start, until: start + DAY }
  return c.req.query('day') === 'yesterday' ? before(today) : today
}

function before({ from }: Day): Day {
  return { name: 'yesterday', from: from - DAY, until: from }
}

/** `GET /`: the counts of a day, what was refused and why, and of today the conditions of now; no subject stands on it. */
export async function todayPage(c: Visit): Promise<Response> {
  const [desk, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const now = desk.city.now()
  const day = dayIn(c)
  const isWhole = await desk.lookout.caughtUp(PATIENCE)
  const counts = desk.tally.counts(day.from, day.until)
  const { gossip } = desk.transparency
  const [conditions, contradictions, against, ages, head, came, went] = await Promise.all([
    desk.health(),
    gossip.contradictions(),
    gossip.againstUs(),
    sourceAges(c, now),
    desk.city.ledger.head(),
    latencyOf(desk.seconds, 'in'),
    latencyOf(desk.seconds, 'out'),
  ])
  const ends = endings(desk.city, now)
  const inbound = counts.filter(({ direction }) => direction === 'in')
  const outbound = counts.filter(({ direction }) => direction === 'out')
  const other = day.name === 'today' ? 'yesterday' : 'today'
  const body = html`
<div class="head"><h1>${day.name === 'today' ? s.today : t.yesterday} <span class="soft small">${dayOf(day.from)}</span></h1>
<p><a class="button" href="${BASE}${other === 'yesterday' ? '?day=yesterday' : ''}">${t[`to-${other}`]}</a>${day.name === 'today' && yesterdaysRefusals(before(day), c)}</p></div>
${contradictionsOf(contradictions, against, c)}
${needed(conditions, ends, day, now, language)}
${!isWhole && html`<p class="told">${t.counting}</p>`}
<dl class="figures">
${figure(s.inbound, sum(inbound), c, refusalsOf(inbound, day, c))}
${figure(s.outbound, sum(outbound), c, t.unansweredOf(countOf(sum(outbound) - sum(outbound, 'answered'), language)))}
${day.name === 'today' && html`${slowness(t.took, came, t)}${figure(t.entries, head.count, c, t.entriesOf)}`}
</dl>
<div class="halves">
${direction('in', inbound, day, c)}
${direction('out', outbound, day, c)}
</div>
${refusalsTable(counts, day, c)}
${
  // How things stand now is no part of a day that is over.
  day.name === 'today' &&
  html`<div class="halves">
${conditionsTable(conditions, language)}
<div class="column">${sourcesTable(ages, language)}${latencyTable([came, went], language)}</div>
</div>
${endingsTable(ends, now, language)}`
}`
  return page(c, { title: day.name === 'today' ? s.today : t.yesterday, active: 'today' }, body)
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

function sum(counts: readonly Count[], outcome?: Count['outcome']): number {
  return counts.reduce((n, each) => (outcome === undefined || each.outcome === outcome ? n + each.questions : n), 0)
}

/** How many of what came in was refused; they are one step away. */
function refusalsOf(inbound: readonly Count[], day: Day, c: Visit): Markup | string {
  const refused = sum(inbound, 'refused')
  const text = words[c.get('language')].refusedOf(countOf(refused, c.get('language')))
  return refused === 0 ? text : html`<a href="${logOf('in', day, { outcome: 'refused' })}">${text}</a>`
}

/** Whoever comes in the morning looks for what went wrong the day before. */
function yesterdaysRefusals(yesterday: Day, c: Visit): Markup | '' {
  const counts = c.get('desk').tally.counts(yesterday.from, yesterday.until)
  const refused = counts.filter(({ direction, outcome }) => direction === 'in' && outcome === 'refused')
  if (refused.length === 0) return ''
  const text = words[c.get('language')].refusedYesterday(countOf(sum(refused), c.get('language')))
  return html` <a class="button" href="${logOf('in', yesterday, { outcome: 'refused' })}">${text}</a>`
}

function figure(name: string, n: number, c: Visit, more: Markup | string): Markup {
  return html`<div><dt>${name}</dt><dd>${countOf(n, c.get('language'))}</dd><dd class="row">${more}</dd></div>`
}

function slowness(name: string, latency: Latency | undefined, t: Words): Markup {
  const said = latency === undefined ? '—' : latency.within[95] === undefined ? '> 5 s' : ms(latency.within[95])
  return html`<div><dt>${name}</dt><dd>${said}</dd><dd class="row">${t.ofHundred}</dd></div>`
}

function ms(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(2)} s`
}

/** Two things that a log said and that cannot both be true: the gravest that can be found, so it stands before everything. */
function contradictionsOf(all: readonly Contradiction[], against: string | undefined, c: Visit): Markup[] {
  const [language, staff] = [c.get('language'), c.get('staff')]
  const t = words[language]
  return [...Map.groupBy(all, ({ city }) => city)].map(([city, of]) => {
    const standing = of.filter(({ acknowledged }) => acknowledged === undefined)
    if (standing.length === 0) return html``
    const lines = standing.map(({ at, detail }) => html`<span class="row">${clock(at)} · ${detail}</span>`)
    // That somebody knows of it does not put our own log right.
    const isOurs = against !== undefined && city === c.get('desk').city.id
    return html`<div class="trouble" role="alert"><p><b>${t.contradiction(cityName(city, c))}</b></p><p>${lines}</p><p>${isOurs ? t.ownWhat : t.contradictionWhat}</p>
${
  !isOurs &&
  staff !== undefined &&
  reaches(staff.role, 'operator') &&
  html`<form method="post" action="${BASE}/contradiction"><input type="hidden" name="_csrf" value="${staff.csrf}"><input type="hidden" name="city" value="${city}"><input type="hidden" name="seen" value="${of.length}"><button class="button">${t.acknowledge}</button></form>`
}</div>`
  })
}

/** A city, and how many of its contradictions there were when the page was shown: what came after, nobody has seen. */
const Seen = z.object({
  city: CityId,
  seen: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,8})$/)
    .transform(Number),
})

/** `POST /contradiction`: somebody knows of the contradictions that they were shown, and is written down for it. For operators. */
export async function acknowledgeContradiction(c: Visit): Promise<Response> {
  const staff = c.get('staff')
  const form = Seen.safeParse({ city: await field(c, 'city'), seen: await field(c, 'seen') })
  const { staff: staffing, transparency, city: us } = c.get('desk')
  if (staff === undefined || !form.success) return c.redirect(BASE, 303)
  const { city, seen } = form.data
  const { gossip } = transparency
  // Before it is recorded: what does not come about must not stand in the ledger.
  if (city === us.id && (await gossip.againstUs()) !== undefined) return notAcknowledged(c)
  await staffing.recorded(staff, 'acknowledged', 'contradiction', { filter: `city=${city}&seen=${seen}` })
  try {
    await gossip.acknowledge(city, seen, staff.name)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'request.form') return notAcknowledged(c)
    throw error
  }
  return c.redirect(BASE, 303)
}

function notAcknowledged(c: Visit): Promise<Response> {
  const t = words[c.get('language')]
  const what = trouble(t.contradiction(cityName(c.get('desk').city.id, c)), t.ownWhat)
  return page(c, { title: t.notAcknowledged, active: 'today', status: 409 }, html`<h1>${t.notAcknowledged}</h1>${what}`)
}

function isSoon({ at, notice }: Ending, now: number): boolean {
  return now < at && at - now < notice
}

/** What somebody has to do something about, before all figures; where there is nothing, that is said of today too. */
function needed(
  conditions: readonly Condition[],
  ends: readonly Ending[],
  { name }: Day,
  now: number,
  language: Language,
): Markup {
  const t = words[language]
  const wrong = conditions.filter(({ ok }) => !ok)
  const near = ends.filter(each => isSoon(each, now))
  const over = ends.filter(({ at }) => at <= now)
  if (wrong.length === 0 && over.length === 0 && name === 'yesterday') return html``
  if (wrong.length === 0 && over.length === 0)
    return html`<p class="told"><b>${t.allGood}</b> ${near.length > 0 && t.someSoon(near.length)}</p>`
  return html`${wrong.map(({ check, detail }) => trouble(conditionName(check, language), detail === undefined ? t.seeLog : detailOf(detail, language)))}
${over.map(({ what, of, at }) => trouble(t.over(what[language], of[language]), t.endedOn(clock(at))))}`
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

function direction(way: 'in' | 'out', counts: readonly Count[], day: Day, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const title = way === 'in' ? s.inbound : s.outbound
  if (counts.length === 0) {
    return html`<section class="sheet"><h2>${title}</h2>${empty(t.quiet, way === 'in' ? t.quietIn : t.quietOut)}</section>`
  }
  const query = new URLSearchParams(day.name === 'yesterday' ? { day: 'yesterday' } : {})
  return html`<section class="sheet"><h2>${title}</h2>
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

function refusalsTable(counts: readonly Count[], day: Day, c: Visit): Markup {
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

function conditionName(check: string, language: Language): string {
  const t = words[language]
  const [name = '', source = ''] = check.split(':')
  if (name === 'source') return t.source(source)
  return isCondition(name) ? t[name] : check
}

/** Conditions whose detail says something though they hold. */
const TELLING = new Set(['clock', 'agreements', 'revocation-lists'])

/** A detail may begin with a code of the table of refusals, which has words for it. */
function detailOf(detail: string, language: Language): string {
  const [, code = '', rest] = /^([a-z-]+\.[a-z-]+)(?:: (.*))?$/.exec(detail) ?? []
  if (!isRefusalCode(code)) return detail
  return rest === undefined ? refusals[code][language] : `${refusals[code][language]} (${rest})`
}

function conditionsTable(conditions: readonly Condition[], language: Language): Markup {
  const [t, s] = [words[language], shared[language]]
  return html`<section class="sheet"><h2>${t.conditions}</h2>
<table><thead><tr><th scope="col">${t.what}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${conditions.map(
    ({ check, ok, detail }) =>
      html`<tr><th scope="row">${conditionName(check, language)}${detail !== undefined && (!ok || TELLING.has(check)) && html`<span class="row small soft">${detailOf(detail, language)}</span>`}</th>
<td><span class="tag ${ok ? 'good' : 'bad'}">${ok ? s.good : s.bad}</span></td></tr>`,
  )}</tbody></table></section>`
}

type Age = {
  readonly family: string
  readonly status: 'fresh' | 'stale' | 'unknown'
  readonly asOf: string | undefined
}

/** How fresh each family of ours is, by its own supply and by the rules. */
async function sourceAges(c: Visit, now: number): Promise<readonly Age[]> {
  const { sources, vocabulary } = c.get('desk').city
  const families = [...new Set(sources.all.flatMap(({ tables }) => tables.map(({ family }) => family)))]
  return Promise.all(
    families.map(async family => {
      const { status, asOf } = freshnessToday(await sources.freshness(family), dayOf(now), { vocabulary })
      return { family: vocabulary.families.get(family)?.[c.get('language')] ?? family, status, asOf }
    }),
  )
}

function sourcesTable(ages: readonly Age[], language: Language): Markup {
  const t = words[language]
  const tags = { fresh: 'good', stale: 'bad', unknown: 'warn' } as const
  return html`<section class="sheet"><h2>${t.sources}</h2>
<table><thead><tr><th scope="col">${t.family}</th><th scope="col">${t.supplied}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${ages.map(
    ({ family, status, asOf }) =>
      html`<tr><th scope="row">${family}</th><td class="tabular">${asOf === undefined ? '—' : dayOf(asOf)}</td><td><span class="tag ${tags[status]}">${freshnessWords[status][language]}</span></td></tr>`,
  )}</tbody></table></section>`
}

function endingsTable(ends: readonly Ending[], now: number, language: Language): Markup {
  const [t, s] = [words[language], shared[language]]
  const row = (ending: Ending) => {
    const { what, of, at } = ending
    const [tone, state] = at <= now ? ['bad', t.ended] : isSoon(ending, now) ? ['warn', s.soon] : ['good', s.good]
    const days = t.days(countOf(Math.floor((at - now) / DAY), language))
    return html`<tr><th scope="row">${what[language]}</th><td data-label="${t.of}" class="text">${of[language]}</td>
<td data-label="${t.until}" class="tabular nowrap">${dayOf(at)}</td><td data-label="${t.left}" class="n">${days}</td>
<td data-label="${t.state}"><span class="tag ${tone}">${state}</span></td></tr>`
  }
  const table = (of: readonly Ending[]) =>
    html`<table class="stacked"><thead><tr><th scope="col">${t.what}</th><th scope="col">${t.of}</th><th scope="col">${t.until}</th><th scope="col" class="n">${t.left}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${of.map(row)}</tbody></table>`
  const [first, rest] = [ends.slice(0, ENDINGS), ends.slice(ENDINGS)]
  return html`<section class="sheet"><h2>${t.endings}</h2>${table(first)}
${rest.length > 0 && html`<details><summary>${t.later(rest.length)}</summary>${table(rest)}</details>`}</section>`
}

function latencyTable(both: readonly (Latency | undefined)[], language: Language): Markup {
  const [t, s] = [words[language], shared[language]]
  const said = (seconds: number | undefined) => (seconds === undefined ? t.beyond : ms(seconds))
  const rows = both.map((latency, i) => {
    const name = i === 0 ? s.inbound : t.requests
    if (latency === undefined)
      return html`<tr><th scope="row">${name}</th><td class="n">0</td><td class="n">—</td><td class="n">—</td><td class="n">—</td></tr>`
    const { questions, within } = latency
    return html`<tr><th scope="row">${name}</th><td class="n">${countOf(questions, language)}</td><td class="n">${said(within[50])}</td><td class="n">${said(within[95])}</td><td class="n">${said(within[99])}</td></tr>`
  })
  return html`<section class="sheet"><h2>${t.latency}</h2><p class="soft small">${t.latencyWhat}</p>
<div class="wide" tabindex="0" role="region" aria-label="${t.latency}"><table class="counts"><thead><tr><th scope="col">${t.way}</th><th scope="col" class="n">${t.measured}</th><th scope="col" class="n">50%</th><th scope="col" class="n">95%</th><th scope="col" class="n">99%</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`
}

type Words = (typeof words)[Language]

const checks = {
  'signing-certificate': { zh: '签名证书', en: 'Signing certificate' },
  'transport-certificate': { zh: '传输证书', en: 'Transport certificate' },
  roll: { zh: '成员名册', en: 'Roll of members' },
  'revocation-lists': { zh: '吊销列表', en: 'Revocation lists' },
  clock: { zh: '时钟', en: 'Clock' },
  ledger: { zh: '日志可写', en: 'Ledger can be written' },
  agreements: { zh: '协议有效', en: 'Agreements in force' },
  configuration: { zh: '配置', en: 'Configuration' },
} as const

function isCondition(name: string): name is keyof typeof checks {
  return Object.hasOwn(checks, name)
}

const words = spoken({
  ...checks,
  yesterday: { zh: '昨日', en: 'Yesterday' },
  'to-yesterday': { zh: '查看昨日', en: 'See yesterday' },
  refusedYesterday: (n: string) => ({ zh: `昨日未受理 ${n}`, en: `${n} refused yesterday` }),
  'to-today': { zh: '查看今日', en: 'See today' },
  allGood: { zh: '运行正常。', en: 'All is in order.' },
  someSoon: (n: number) => ({ zh: `有 ${n} 项即将到期，见下表。`, en: `${n} will end soon, see below.` }),
  seeLog: { zh: '详见网关运行日志。', en: 'The gateway’s log says more.' },
  over: (what: string, of: string) => ({ zh: `${of}的${what}已到期`, en: `${what} of ${of} has ended` }),
  endedOn: (at: string) => ({ zh: `已于 ${at} 到期，请更新。`, en: `It ended at ${at}: renew it.` }),
  contradiction: (city: string) => ({ zh: `${city}的日志自相矛盾`, en: `The log of ${city} contradicts itself` }),
  contradictionWhat: {
    zh: '日志曾作出两个不可能同时为真的声明。保留证据，与该城市和联盟办公室核对。',
    en: 'It said two things that cannot both be true. Keep everything, and talk to the city and to the federation’s office.',
  },
  ownWhat: {
    zh: '这是本市自己的日志，不能以“已知悉”了结：网关已停止记录和答复。请恢复最新的日志；确已丢失的，按《透明日志》说明另立新日志。',
    en: 'It is our own log, which cannot be acknowledged away: the gateway records and answers nothing more. Bring back the newest ledger; where that is lost, begin a new one as the page on the transparency log says.',
  },
  notAcknowledged: { zh: '未予确认', en: 'This cannot be acknowledged' },
  acknowledge: { zh: '已知悉', en: 'I know of it' },
  refusedOf: (n: string) => ({ zh: `其中未受理 ${n}`, en: `${n} refused` }),
  unansweredOf: (n: string) => ({ zh: `按城市计，未获答复 ${n}`, en: `one for each city; ${n} without an answer` }),
  counting: {
    zh: '网关启动不久，日志仍在清点，数字还会增加。请稍后刷新。',
    en: 'The gateway started not long ago and still counts the ledger: the figures will grow. Reload in a while.',
  },
  took: { zh: '答复用时', en: 'Time to answer' },
  ofHundred: { zh: '95% 的查询不超过', en: '95 of 100 within' },
  entries: { zh: '日志条目', en: 'Ledger entries' },
  entriesOf: { zh: '含查询和人员操作', en: 'questions and acts of staff' },
  quiet: { zh: '这一天没有查询', en: 'No questions on this day' },
  quietIn: {
    zh: '其他城市向本市查询后，按小时、城市、目的的数量显示在这里。',
    en: 'Once other cities ask us, counts by hour, city and purpose appear here.',
  },
  quietOut: {
    zh: '本市部门向其他城市查询后，数量显示在这里。',
    en: 'Once our departments ask other cities, counts appear here.',
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
  conditions: { zh: '运行状况', en: 'Conditions' },
  what: { zh: '项目', en: 'What' },
  state: { zh: '状态', en: 'State' },
  source: (name: string) => ({ zh: `数据库“${name}”`, en: `Database “${name}”` }),
  sources: { zh: '本市数据更新情况', en: 'Freshness of our sources' },
  family: { zh: '信息类别', en: 'Family' },
  supplied: { zh: '最近归集', en: 'Last supplied' },
  endings: { zh: '到期一览', en: 'What expires, and when' },
  until: { zh: '有效至', en: 'Valid until' },
  left: { zh: '剩余', en: 'Left' },
  of: { zh: '所属', en: 'Of' },
  later: (n: number) => ({ zh: `其余 ${n} 项`, en: `${n} more` }),
  ended: { zh: '已到期', en: 'Ended' },
  days: (n: string) => ({ zh: `${n} 天`, en: `${n} days` }),
  requests: { zh: '本市部门的请求', en: 'Requests of our departments' },
  measured: { zh: '次数', en: 'Number' },
  latency: { zh: '用时', en: 'Latency' },
  latencyWhat: {
    zh: '网关启动以来，自收到查询至给出答复；“95%”一栏表示 95% 的查询不超过此用时，其余类推。部门的一次请求可以查询多个城市，报告也计入，本市未发出的不计。',
    en: 'Since the gateway started, from receiving a question to answering it; under 95% stands the time within which 95 of 100 were answered. One request of a department may ask many cities; reports count too, what was not sent does not.',
  },
  beyond: { zh: '超过 5 s', en: 'over 5 s' },
})
