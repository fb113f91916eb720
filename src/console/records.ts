/** What was done to and with the gateway itself, newest first: who signed in, looked, exported, and which configuration took effect. */
import { html } from 'hono/html'
import type { Entry } from '#ledger/entry.ts'
import type { Recorded } from '#ledger/ledger.ts'
import { deedOf } from './deed.ts'
import { BASE, type Visit } from './desk.ts'
import { sentence } from './entry-page.ts'
import { empty, type Markup, page, trouble } from './layout.ts'
import { filterOf, isUnusable, type Typed, typed, usualDays } from './log-filter.ts'
import { clock, timeOf } from './shown.ts'
import { soughtOf } from './sought.ts'
import { words as shared, spoken } from './words.ts'

const LIMIT = 50
const kinds = ['staff', 'held', 'configured', 'expired'] as const satisfies readonly Entry['kind'][]

/** `GET /records`, for auditors: a look at it is an entry in it. */
export async function recordsPage(c: Visit): Promise<Response> {
  const [{ city, staff: staffing }, language, staff] = [c.get('desk'), c.get('language'), c.get('staff')]
  const t = words[language]
  const asked = typed(name => (name === 'from' || name === 'until' ? c.req.query(name) : undefined))
  const times = filterOf('in', asked, staff)
  const frame = { title: t.title, active: 'records' } as const
  const head = html`<div class="head"><h1>${t.title}</h1></div><p class="lead">${t.lead}</p>${daysOf(c, asked)}`
  if (isUnusable(times)) return page(c, { ...frame, status: 400 }, html`${head}${trouble(t.title, t.timeForm)}`)
  const below = c.req.query('before') ?? ''
  const before = /^\d{1,15}$/.test(below) ? Number(below) : undefined
  const { entries, next } = await city.ledger.search(
    { from: times.from, until: times.until, kinds },
    { before, limit: LIMIT },
  )
  const lookedTo = next !== undefined && entries.length < LIMIT ? (await city.ledger.entry(next))?.entry.at : undefined
  if (staff !== undefined) {
    const filter = new URLSearchParams(asked).toString()
    await staffing.recorded(staff, 'viewed', 'records', {
      entries: entries.map(({ receipt }) => receipt.index),
      filter,
    })
  }
  const older = new URLSearchParams({ ...asked, before: String(next) })
  const body = html`${head}<section class="sheet"><h2 class="aside">${t.title}</h2>
${entries.length > 0 ? table(entries, c) : empty(t.none, t.noneWhy)}
${lookedTo !== undefined && html`<p class="told">${t.looked(clock(lookedTo))}</p>`}
${next !== undefined && html`<nav class="turn" aria-label="${t.pages}"><span></span><a class="button" href="${BASE}/records?${older}" rel="next">${t.older}</a></nav>`}</section>`
  return page(c, frame, body)
}

function daysOf(c: Visit, asked: Typed): Markup {
  const [t, s] = [words[c.get('language')], shared[c.get('language')]]
  const days = usualDays(c.get('desk').city.now())
  const link = (day: Typed, name: string) => {
    const isShown = day.from === asked.from && day.until === asked.until
    const query = new URLSearchParams(day).toString()
    return html`<a href="${BASE}/records${query === '' ? '' : `?${query}`}"${isShown ? html` aria-current="true"` : ''}>${name}</a> `
  }
  return html`<nav class="days" aria-label="${s.time}">${link({}, s.all)}${link(days.today, s.today)}${link(days.yesterday, t.yesterday)}${link(days.week, t.week)}</nav>`
}

function table(entries: readonly Recorded[], c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const row = ({ entry, receipt }: Recorded) => {
    const who = entry.kind === 'staff' || entry.kind === 'held' ? entry.staff : t.gateway
    const seen = entry.kind === 'staff' ? entry.entries.length : 0
    const more = [
      entry.kind === 'staff' && entry.subjects.length > 0 && t.subjects(entry.subjects.length),
      seen > 0 && t.entries(seen),
    ].filter(each => each !== false)
    return html`<tr><td data-label="${s.time}" class="nowrap"><a href="${BASE}/entry/${receipt.index}">${timeOf(entry.at)}</a></td>
<td data-label="${t.who}">${who}${entry.kind === 'staff' && html` <span class="small soft">${s[entry.role]}</span>`}</td>
<td data-label="${t.did}">${entry.kind === 'staff' ? deedOf(entry, language) : sentence(entry, c)}</td>
<td data-label="${t.seen}" class="text">${more.join(language === 'zh' ? '，' : ', ')}${entry.kind === 'staff' && entry.filter !== undefined && html`<span class="row small soft">${soughtOf(entry.filter, c)}</span>`}</td></tr>`
  }
  return html`<table class="stacked"><thead><tr><th scope="col">${s.time}</th><th scope="col">${t.who}</th><th scope="col">${t.did}</th><th scope="col">${t.seen}</th></tr></thead>
<tbody>${entries.map(row)}</tbody></table>`
}

const words = spoken({
  title: { zh: '人员操作记录', en: 'Staff records' },
  lead: {
    zh: '本市人员在工作台登录、查看、查询、导出和核验的记录，以及配置生效、签名原文期满删除。与查询记录同在一个日志，不能改动。',
    en: 'Who of our staff signed in, looked, asked, exported and verified, and when a configuration took effect or signed texts were let go at the end of their time. It stands in the same ledger as the questions and cannot be changed.',
  },
  none: { zh: '没有记录', en: 'No entries' },
  noneWhy: { zh: '这段时间没有人员操作，可改选其他日期。', en: 'Nobody did anything in this time: choose other days.' },
  looked: (at: string) => ({
    zh: `已查找至 ${at}，更早的记录请继续。`,
    en: `Looked down to ${at}; go on for what is older.`,
  }),
  timeForm: { zh: '请从上面选择日期。', en: 'Choose the days above.' },
  pages: { zh: '翻页', en: 'Pages' },
  older: { zh: '更早的记录', en: 'Older' },
  yesterday: { zh: '昨日', en: 'Yesterday' },
  week: { zh: '近七日', en: 'Seven days' },
  who: { zh: '人员', en: 'Who' },
  did: { zh: '操作', en: 'Did what' },
  seen: { zh: '涉及', en: 'About' },
  gateway: { zh: '网关', en: 'Gateway' },
  subjects: (n: number) => ({ zh: `${n} 个主体`, en: n === 1 ? '1 subject' : `${n} subjects` }),
  entries: (n: number) => ({ zh: `${n} 条记录`, en: n === 1 ? '1 entry' : `${n} entries` }),
})
