/** Every question that came in or went out, newest first, as its filter asks; whoever looks through it is recorded before it is shown. */
import { html } from 'hono/html'
import type { Entry } from '#ledger/entry.ts'
import type { Filter, Recorded } from '#ledger/ledger.ts'
import type { Result } from '#protocol/message.ts'
import { refusalCodes, refusals } from '#protocol/refusal.ts'
import type { Uscc } from '#protocol/subject.ts'
import type { Department } from '#trust/departments.ts'
import { BASE, type Visit } from './desk.ts'
import { exportForm } from './export.ts'
import { empty, type Markup, page, reaches, trouble } from './layout.ts'
import {
  addressOf,
  type Field,
  filterOf,
  isUnusable,
  type Typed,
  typed,
  type Unusable,
  usualDays,
  type Way,
} from './log-filter.ts'
import { cityName, clock, codeOf, departmentName, purposeName, timeOf } from './shown.ts'
import { narrowedTo } from './sought.ts'
import type { Staff } from './staff.ts'
import { type Language, words as shared, spoken } from './words.ts'

const LIMIT = 50
/** Subjects of one question that its line shows; the rest are counted. */
const SHOWN = 2

/** `GET /in`. */
export function inboundPage(c: Visit): Promise<Response> {
  return logPage(c, 'in')
}

/** `GET /out`. */
export function outboundPage(c: Visit): Promise<Response> {
  return logPage(c, 'out')
}

async function logPage(c: Visit, way: Way): Promise<Response> {
  const [desk, language, staff] = [c.get('desk'), c.get('language'), c.get('staff')]
  const [t, s] = [words[language], shared[language]]
  const asked = typed(field => c.req.query(field))
  const filter = filterOf(way, asked, staff)
  const title = way === 'in' ? s.inbound : s.outbound
  const active = way === 'in' ? 'inbound' : 'outbound'
  const head = html`<div class="head"><h1>${title}</h1></div><p class="lead">${way === 'in' ? t.leadIn : t.leadOut}</p>${filterSheet(c, way, asked, isUnusable(filter))}`
  if (isUnusable(filter)) {
    const status = filter.why === 'role' ? 403 : 400
    return page(c, { title, active, status }, html`${head}${unusable(filter, language)}`)
  }
  const found = await look(c, filter, before(c))
  const { entries, next } = found
  if (staff !== undefined) {
    const full = reaches(staff.role, 'auditor')
    await desk.staff.recorded(staff, 'viewed', active, {
      subjects: full ? [...new Set(entries.flatMap(({ entry }) => subjectsOf(entry).slice(0, SHOWN)))] : [],
      entries: entries.map(({ receipt }) => receipt.index),
      filter: addressOf(asked),
    })
  }
  const body = html`${head}
<section class="sheet">
<h2 class="aside">${t.found}</h2>
${entries.length > 0 && html`<p class="soft small">${countSaid(found, before(c) !== undefined, language)}</p>`}
${entries.length > 0 ? logTable(entries, way, c) : next === undefined && empty(t.nothing, isFiltered(asked) ? t.nothingFits : way === 'in' ? t.nothingIn : t.nothingOut)}
${found.lookedTo !== undefined && html`<p class="told">${t.looked(clock(found.lookedTo))}</p>`}
${turn(c, way, asked, next, found.lookedTo !== undefined)}
</section>
${staff !== undefined && reaches(staff.role, 'auditor') && exportForm(c, way, asked)}`
  return page(c, { title, active }, body)
}

/** Where the page before this one ended: an index, below which this one looks. */
function before(c: Visit): number | undefined {
  const text = c.req.query('before')
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

type Found = {
  readonly entries: readonly Recorded[]
  readonly next: number | undefined
  /** The instant of the entry at which a search ended before it had found enough. */
  readonly lookedTo: string | undefined
}

async function look(c: Visit, filter: Filter, before: number | undefined): Promise<Found> {
  const { ledger } = c.get('desk').city
  // One more than is shown tells whether there is an older one.
  const found = await ledger.search(filter, { before, limit: LIMIT + 1 })
  const entries = found.entries.slice(0, LIMIT)
  if (found.entries.length > LIMIT) return { entries, next: entries.at(-1)?.receipt.index, lookedTo: undefined }
  const lookedTo = found.next === undefined ? undefined : (await ledger.entry(found.next))?.entry.at
  return { entries, next: found.next, lookedTo }
}

/** How many there are, as far as it is known: of all together only where this page has them all. */
function countSaid({ entries: { length: n }, next, lookedTo }: Found, isLater: boolean, language: Language): string {
  const t = words[language]
  if (lookedTo !== undefined) return t.onPage(n)
  if (next !== undefined) return t.andOlder(n)
  return isLater ? t.noneOlder(n) : t.inAll(n)
}

function isFiltered(asked: Typed): boolean {
  return Object.keys(asked).length > 0
}

function unusable({ field, why }: Unusable, language: Language): Markup {
  const t = words[language]
  return trouble(
    t.unusable(t[`f-${field}`]),
    why === 'role' ? t.needsAuditor : field === 'subject' ? t.codeForm : t.timeForm,
  )
}

function turn(c: Visit, way: Way, asked: Typed, next: number | undefined, short: boolean): Markup | '' {
  const t = words[c.get('language')]
  if (before(c) === undefined && next === undefined) return ''
  const at = (more: Readonly<Record<string, string>>) => {
    const query = new URLSearchParams({ ...asked, ...more }).toString()
    return `${BASE}/${way}${query === '' ? '' : `?${query}`}`
  }
  return html`<nav class="turn" aria-label="${t.pages}"><span>${before(c) !== undefined && html`<a class="button" href="${at({})}">${t.newest}</a>`}</span>
<span>${next !== undefined && html`<a class="button" href="${at({ before: String(next) })}" rel="next">${short ? t.goOn : t.older}</a>`}</span></nav>`
}

/** The subjects of an entry that has some. */
export function subjectsOf(entry: Entry): Extract<Entry, { kind: 'answered' }>['subjects'] {
  return 'subjects' in entry && entry.subjects !== undefined ? entry.subjects : []
}

function logTable(entries: readonly Recorded[], way: Way, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const row = ({ entry, receipt }: Recorded) => {
    const peer = 'peer' in entry ? (entry.peer === '*' ? t.allCities : cityName(entry.peer, c)) : '—'
    const to = `${BASE}/entry/${receipt.index}`
    return html`<tr>
<td data-label="${s.time}" class="nowrap"><a href="${to}">${timeOf(entry.at)}</a></td>
<td data-label="${s.peer}">${peer}</td>
${way === 'out' && html`<td data-label="${s.department}">${'department' in entry ? departmentName(entry.department, c) : '—'}</td>`}
<td data-label="${s.purpose}">${'purpose' in entry ? purposeName(entry.purpose, c) : '—'}</td>
<td data-label="${s.matter}" class="text">${'matter' in entry ? entry.matter : '—'}</td>
<td data-label="${s.subject}">${subjectsCell(entry, c)}</td>
<td data-label="${s.outcome}">${outcomeCell(entry, language)}</td></tr>`
  }
  return html`<table class="stacked log">
<thead><tr><th scope="col">${s.time}</th><th scope="col">${s.peer}</th>${way === 'out' && html`<th scope="col">${s.department}</th>`}<th scope="col">${s.purpose}</th><th scope="col">${s.matter}</th><th scope="col">${s.subject}</th><th scope="col">${s.outcome}</th></tr></thead>
<tbody>${entries.map(row)}</tbody></table>`
}

function subjectsCell(entry: Entry, c: Visit): Markup {
  const t = words[c.get('language')]
  const subjects = subjectsOf(entry)
  const shown = subjects
    .slice(0, SHOWN)
    .map(each => html`<span class="row">${subjectName(each, c.get('staff'), c.get('language'))}</span>`)
  return html`${shown}${subjects.length > SHOWN && html`<span class="row small soft">${t.more(subjects.length)}</span>`}`
}

/** A subject's code as this person may see it; of a text that was no code, that it was none. */
export function subjectName(subject: string, staff: Staff | undefined, language: Language): Markup {
  return subject === 'refused'
    ? html`<span class="soft">${words[language].noCode}</span>`
    : html`<span class="code">${codeOf(subject, staff)}</span>`
}

/** What came of something in one word, with its colour. */
type Shown = { readonly said: string; readonly tone: 'good' | 'bad' | 'warn' | '' }

/** What came of a question, or of a report. */
export function outcomeOf(entry: Entry, language: Language): Shown {
  const [t, s] = [words[language], shared[language]]
  if (entry.kind === 'answered') {
    if (entry.status.every(status => status === 'answered')) return { said: s.answered, tone: 'good' }
    return { said: entry.status.every(status => status === 'refused') ? s.refused : t.partly, tone: 'warn' }
  }
  if (entry.kind === 'refused') return { said: s.refused, tone: 'bad' }
  if (entry.kind === 'declined') return { said: t.declined, tone: 'warn' }
  if (entry.kind === 'reported') return { said: t.reported, tone: 'good' }
  if (entry.kind === 'asked') return { said: t.sent, tone: '' }
  if (entry.kind !== 'outcome') return { said: entry.kind, tone: '' }
  return {
    said: s[entry.outcome],
    tone: entry.outcome === 'answered' ? 'good' : entry.outcome === 'refused' ? 'bad' : 'warn',
  }
}

/** What came of it for one subject of a question, where that is known: of our own questions only the answer says it. */
export function outcomeFor(entry: Entry, subject: Uscc, language: Language): Shown {
  const status = entry.kind === 'answered' ? entry.status[entry.subjects.indexOf(subject)] : undefined
  return status === undefined ? outcomeOf(entry, language) : statusOf(status, language)
}

/** The status of one subject in an answer. */
export function statusOf(status: Result['status'], language: Language): Shown {
  return { said: words[language][`s-${status}`], tone: status === 'answered' ? 'good' : 'warn' }
}

/** Why, in the public text of the table of refusals; undefined where nothing was refused. */
export function whyOf(entry: Entry, language: Language): string | undefined {
  return 'code' in entry && entry.code !== undefined ? refusals[entry.code][language] : undefined
}

/** Of one subject where one is named, else of all together. */
export function outcomeCell(entry: Entry, language: Language, subject?: Uscc): Markup {
  const { said, tone } = subject === undefined ? outcomeOf(entry, language) : outcomeFor(entry, subject, language)
  const why = whyOf(entry, language)
  return html`<span class="tag ${tone}">${said}</span>${why !== undefined && html`<span class="row small">${why}</span>`}`
}

/** The form is open until it has been filled in; from then on its heading says what is looked for, and leaves the room to what was found. */
function filterSheet(c: Visit, way: Way, asked: Typed, mustOpen: boolean): Markup {
  const [t, s] = [words[c.get('language')], shared[c.get('language')]]
  const isSet = isFiltered(asked)
  const isOpen = mustOpen || !isSet
  return html`<section class="sheet looks${isSet ? '' : ' screen'}" aria-label="${t.filter}">
<details${isOpen ? html` open` : ''}><summary>${isOpen ? t.filter : t.filteredBy(narrowedTo(asked, c))}</summary>
${filterForm(c, way, asked)}</details>${isSet && html`<a href="${BASE}/${way}">${s.clear}</a>`}</section>`
}

function filterForm(c: Visit, way: Way, asked: Typed): Markup {
  const [desk, language, staff] = [c.get('desk'), c.get('language'), c.get('staff')]
  const [t, s] = [words[language], shared[language]]
  const { members, vocabulary, id, now } = desk.city
  const peers = members.all.filter(member => member.id !== id).map(({ id, name }) => [id, name[language]] as const)
  const departments = departmentsIn(asked.department, desk.departments.all())
  const purposes = [...vocabulary.purposes.values()].map(term => [term.code, term[language]] as const)
  const outcomes = [
    ['answered', s.answered],
    ['refused', s.refused],
    ...(way === 'out'
      ? ([
          ['unknown', s.unknown],
          ['declined', t.declined],
          ['reported', t.reported],
          ['sent', t.sent],
        ] as const)
      : []),
  ] as const
  const codes = refusalCodes.map(code => [code, refusals[code][language]] as const)
  const days = usualDays(now())
  const only = (days: Typed) => `${BASE}/${way}?${addressOf({ ...asked, ...days })}`
  const sees = staff !== undefined && reaches(staff.role, 'auditor')
  return html`<form class="filter" method="get" action="${BASE}/${way}" role="search">
${timeField('from', asked.from, 'T00:00', t['f-from'])}
${timeField('until', asked.until, 'T23:59', t['f-until'])}
${choice('peer', asked.peer, s.peer, way === 'out' ? [...peers, ['*', t.notOne]] : peers, s.all)}
${choice('purpose', asked.purpose, s.purpose, purposes, s.all)}
<label>${s.outcome}<select name="outcome"><option value="">${s.all}</option>${options(outcomes, asked.outcome)}<optgroup label="${t.byReason}">${options(codes, asked.outcome)}</optgroup></select></label>
${text('matter', asked.matter, t['f-matter'])}
${way === 'out' && choice('department', asked.department, s.department, departments, s.all)}
${sees && html`<label>${s.subject}<input name="subject" value="${asked.subject ?? ''}" maxlength="18" autocapitalize="characters" spellcheck="false" class="code"></label>`}
<div class="does"><button class="button first">${s.show}</button>${isFiltered(asked) && html`<a class="button" href="${BASE}/${way}">${s.clear}</a>`}</div>
<p class="days">${(['today', 'yesterday', 'week'] as const).map(day => html`<a href="${only(days[day])}">${t[`d-${day}`]}</a> `)}</p>
</form>`
}

/** The departments to choose from; one that is looked for stays among them though its key was withdrawn. */
function departmentsIn(looked: string | undefined, all: readonly Department[]): Choice {
  const known = all.map(({ id, name }) => [id, name] as const)
  return looked === undefined || all.some(({ id }) => id === looked) ? known : [...known, [looked, looked]]
}

function timeField(name: Field, value: string | undefined, time: string, label: string): Markup {
  const shown = value !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}${time}` : (value ?? '')
  return html`<label>${label}<input type="datetime-local" name="${name}" value="${shown}"></label>`
}

function text(name: Field, value: string | undefined, label: string): Markup {
  return html`<label>${label}<input name="${name}" value="${value ?? ''}" maxlength="200"></label>`
}

type Choice = readonly (readonly [value: string, label: string])[]

function choice(name: Field, value: string | undefined, label: string, all: Choice, any: string): Markup {
  return html`<label>${label}<select name="${name}"><option value="">${any}</option>${options(all, value)}</select></label>`
}

function options(all: Choice, value: string | undefined): Markup[] {
  return all.map(
    ([each, label]) => html`<option value="${each}"${each === value ? html` selected` : ''}>${label}</option>`,
  )
}

const words = spoken({
  leadIn: {
    zh: '其他城市向本市提出的每一次查询：谁、何时、为何、查谁、结果如何。',
    en: 'Every question that another city put to us: who, when, why, about whom, and what came of it.',
  },
  leadOut: {
    zh: '本市部门向其他城市提出的每一次查询及其结果，包括本市未发出的。',
    en: 'Every question of our departments to other cities and what came of it, including those that we did not send.',
  },
  found: { zh: '查询记录', en: 'Entries' },
  nothing: { zh: '没有记录', en: 'No entries' },
  nothingFits: {
    zh: '没有符合这些条件的查询。可放宽时间，或清除条件。',
    en: 'No question fits this filter. Widen the time, or clear the filter.',
  },
  nothingIn: {
    zh: '其他城市第一次向本市查询后，记录出现在这里。',
    en: 'Once another city asks us, its questions appear here.',
  },
  nothingOut: {
    zh: '本市部门第一次向其他城市查询后，记录出现在这里。',
    en: 'Once a department of ours asks another city, its questions appear here.',
  },
  looked: (at: string) => ({
    zh: `已查找至 ${at}，更早的记录请继续。`,
    en: `Looked down to ${at}; go on for what is older.`,
  }),
  filter: { zh: '筛选', en: 'Filter' },
  filteredBy: (what: string) => ({ zh: `筛选：${what}`, en: `Filter: ${what}` }),
  inAll: (n: number) => ({ zh: `共 ${n} 条`, en: `${n} in all` }),
  onPage: (n: number) => ({ zh: `本页 ${n} 条`, en: `${n} on this page` }),
  andOlder: (n: number) => ({ zh: `本页 ${n} 条，还有更早的`, en: `${n} on this page, and there are older ones` }),
  noneOlder: (n: number) => ({ zh: `本页 ${n} 条，没有更早的`, en: `${n} on this page, none older` }),
  pages: { zh: '翻页', en: 'Pages' },
  newest: { zh: '回到最新', en: 'Newest' },
  older: { zh: '更早的记录', en: 'Older' },
  goOn: { zh: '继续查找', en: 'Go on looking' },
  allCities: { zh: '所有城市', en: 'All cities' },
  notOne: { zh: '所有城市（未发出）', en: 'To all cities (not sent)' },
  more: (n: number) => ({ zh: `等 ${n} 个`, en: `${n} in all` }),
  noCode: { zh: '代码无效（未保存）', en: 'invalid code (not kept)' },
  's-answered': { zh: '已答复', en: 'Answered' },
  's-unknown': { zh: '部分未知', en: 'Partly unknown' },
  's-stale': { zh: '数据过期', en: 'Stale' },
  's-refused': { zh: '未受理', en: 'Refused' },
  partly: { zh: '部分答复', en: 'Partly answered' },
  declined: { zh: '本市未发出', en: 'Not sent' },
  reported: { zh: '已出具报告', en: 'Report made' },
  sent: { zh: '已发出', en: 'Sent' },
  byReason: { zh: '按未受理原因', en: 'By reason of refusal' },
  unusable: (field: string) => ({ zh: `“${field}”不能这样查找`, en: `“${field}” cannot be looked for like this` }),
  needsAuditor: {
    zh: '按主体代码查找需要审计员或操作员角色。',
    en: 'To look for a subject’s code takes the role of an auditor or operator.',
  },
  codeForm: {
    zh: '统一社会信用代码为 18 位数字和大写字母。',
    en: 'A unified social credit code has 18 digits and capital letters.',
  },
  timeForm: { zh: '请从表单中选择，或清除此条件。', en: 'Choose it from the form, or clear it.' },
  'f-from': { zh: '起始时间', en: 'From' },
  'f-until': { zh: '截止时间', en: 'Until' },
  'f-peer': { zh: '城市', en: 'City' },
  'f-purpose': { zh: '目的', en: 'Purpose' },
  'f-department': { zh: '部门', en: 'Department' },
  'f-matter': { zh: '事由（部分文字）', en: 'Matter (a part of it)' },
  'f-outcome': { zh: '结果', en: 'Outcome' },
  'f-subject': { zh: '主体代码', en: 'Subject' },
  'd-today': { zh: '今日', en: 'Today' },
  'd-yesterday': { zh: '昨日', en: 'Yesterday' },
  'd-week': { zh: '近七日', en: 'Seven days' },
})
