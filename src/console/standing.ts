/** How things stand now: what needs somebody, conditions, how fresh our sources are, what ends soon, and how long answers take. */
import { html } from 'hono/html'
import { freshnessToday } from '#agreement/disclose.ts'
import { freshnessWords } from '#protocol/freshness.ts'
import { isRefusalCode, refusals } from '#protocol/refusal.ts'
import type { Condition, Visit } from './desk.ts'
import { type Ending, noticeDays } from './endings.ts'
import type { Latency } from './latency.ts'
import { type Markup, trouble } from './layout.ts'
import { clock, countOf, dayOf } from './shown.ts'
import { type Language, words as shared, spoken } from './words.ts'

const DAY = 86_400_000

/** How many of what ends next are shown at once; of what ends soon, all. */
const ENDINGS = 6

function isSoon({ at, notice }: Ending, now: number): boolean {
  return now < at && at - now < notice
}

/** What somebody has to do something about, before all figures; where there is nothing, that is said of today too. */
export function needed(
  conditions: readonly Condition[],
  ends: readonly Ending[],
  isToday: boolean,
  now: number,
  language: Language,
): Markup {
  const t = words[language]
  const wrong = conditions.filter(({ ok }) => !ok)
  const near = ends.filter(each => isSoon(each, now))
  const over = ends.filter(({ at }) => at <= now)
  if (wrong.length === 0 && over.length === 0 && !isToday) return html``
  if (wrong.length === 0 && over.length === 0)
    return html`<p class="told"><b>${t.allGood}</b> ${near.length > 0 && html`${t.someSoon(near.length)} <a href="#endings">${t.seeEndings}</a>`}</p>`
  return html`${wrong.map(({ check, detail }) => trouble(conditionName(check, language), detail === undefined ? t.seeLog : detailOf(detail, language)))}
${over.map(({ what, of, at }) => trouble(t.over(what[language], of[language]), t.endedOn(clock(at))))}`
}

export function slowness(name: string, latency: Latency | undefined, language: Language): Markup {
  const said = latency === undefined ? '—' : latency.within[95] === undefined ? '> 5 s' : ms(latency.within[95])
  return html`<div><dt>${name}</dt><dd>${said}</dd><dd class="row">${words[language].ofHundred}</dd></div>`
}

function ms(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(2)} s`
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

export function conditionsTable(conditions: readonly Condition[], language: Language): Markup {
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
export async function sourceAges(c: Visit, now: number): Promise<readonly Age[]> {
  const { sources, vocabulary } = c.get('desk').city
  const families = [...new Set(sources.all.flatMap(({ tables }) => tables.map(({ family }) => family)))]
  return Promise.all(
    families.map(async family => {
      const { status, asOf } = freshnessToday(await sources.freshness(family), dayOf(now), { vocabulary })
      return { family: vocabulary.families.get(family)?.[c.get('language')] ?? family, status, asOf }
    }),
  )
}

export function sourcesTable(ages: readonly Age[], language: Language): Markup {
  const t = words[language]
  const tags = { fresh: 'good', stale: 'bad', unknown: 'warn' } as const
  return html`<section class="sheet"><h2>${t.sources}</h2>
<table><thead><tr><th scope="col">${t.family}</th><th scope="col">${t.supplied}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${ages.map(
    ({ family, status, asOf }) =>
      html`<tr><th scope="row">${family}</th><td class="tabular">${asOf === undefined ? '—' : dayOf(asOf)}</td><td><span class="tag ${tags[status]}">${freshnessWords[status][language]}</span></td></tr>`,
  )}</tbody></table></section>`
}

export function endingsTable(ends: readonly Ending[], now: number, language: Language): Markup {
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
  const isPressing = (ending: Ending) => ending.at <= now || isSoon(ending, now)
  const others = ends.filter(each => !isPressing(each))
  const rest = others.slice(Math.max(0, ENDINGS - (ends.length - others.length)))
  const first = ends.filter(each => !rest.includes(each))
  return html`<section class="sheet" id="endings"><h2>${t.endings}</h2><p class="soft small">${t.ahead}</p>${table(first)}
${rest.length > 0 && html`<details><summary>${t.later(rest.length)}</summary>${table(rest)}</details>`}</section>`
}

export function latencyTable(both: readonly (Latency | undefined)[], language: Language): Markup {
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
  allGood: { zh: '运行正常。', en: 'All is in order.' },
  someSoon: (n: number) => ({
    zh: `有 ${n} 项证书、协议、名册或吊销列表将到期。`,
    en: n === 1 ? '1 certificate, agreement or list ends soon.' : `${n} certificates, agreements or lists end soon.`,
  }),
  seeEndings: { zh: '见到期一览', en: 'See which' },
  ahead: {
    zh: `“将到期”的提前量：证书 ${noticeDays.certificate} 天，协议 ${noticeDays.agreement} 天，名册 ${noticeDays.roll} 天，吊销列表 ${noticeDays.list} 天。`,
    en: `“Ends soon” stands ${noticeDays.certificate} days before the end of a certificate, ${noticeDays.agreement} of an agreement, ${noticeDays.roll} of the roll and ${noticeDays.list} of a revocation list.`,
  },
  seeLog: { zh: '详见网关运行日志。', en: 'The gateway’s log says more.' },
  over: (what: string, of: string) => ({ zh: `${of}的${what}已到期`, en: `${what} of ${of} has ended` }),
  endedOn: (at: string) => ({ zh: `已于 ${at} 到期，请更新。`, en: `It ended at ${at}: renew it.` }),
  ofHundred: { zh: '95% 的查询在此时间内答复', en: '95 of 100 are answered within this time' },
  way: { zh: '方向', en: 'Direction' },
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
  later: (n: number) => ({ zh: `其余 ${n} 项，尚不需要办理`, en: `${n} more, none of them soon` }),
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
