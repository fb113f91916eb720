/** One entry in plain words: who asked what about whom, what left by which clause, what stayed by which rule; and, asked for, what was signed. */
import { html } from 'hono/html'
import type { Entry } from '#ledger/entry.ts'
import type { Evidence, Recorded } from '#ledger/ledger.ts'
import { type RefusalCode, refusals } from '#protocol/refusal.ts'
import type { Said } from '#protocol/said.ts'
import { deedOf } from './deed.ts'
import { BASE, type Visit } from './desk.ts'
import { type Finding, proveEntry } from './entry-proof.ts'
import { claimsOf, counterpart, type Exchanged, isExchanged, type Left, type View, viewOf } from './exchange-view.ts'
import { whyGone } from './gone.ts'
import { empty, type Markup, page, reaches, trouble } from './layout.ts'
import { outcomeOf, statusOf, subjectName, subjectsOf, whyOf } from './log.ts'
import { cityName, clock, codeOf, countOf, dayOf, departmentName, purposeName } from './shown.ts'
import { soughtOf } from './sought.ts'
import type { Staff } from './staff.ts'
import { type Language, words as shared, spoken } from './words.ts'

/** Subjects of a question that are shown and recorded one by one. */
const MOST = 100

/** `GET /entry/:index`. */
export async function entryPage(c: Visit): Promise<Response> {
  const found = await find(c)
  if (found === undefined) return nothing(c)
  await note(c, 'viewed', found)
  return entryDocument(c, found, {})
}

/** `GET /entry/:index/originals`: the same, with the signed messages as they are held. For auditors. */
export async function originalsPage(c: Visit): Promise<Response> {
  const found = await find(c)
  if (found === undefined) return nothing(c)
  await note(c, 'viewed', found, 'originals')
  return entryDocument(c, found, { originals: true })
}

/** `POST /entry/:index/verify`: the same, with what was proved just now. For auditors. */
export async function verifyPage(c: Visit): Promise<Response> {
  const found = await find(c)
  if (found === undefined) return nothing(c)
  await note(c, 'verified', found)
  const { city, transparency } = c.get('desk')
  const findings = await proveEntry(found.recorded, found.own, city, transparency.log)
  return entryDocument(c, found, { findings })
}

type Found = {
  readonly recorded: Recorded
  /** What is held of this entry itself, and together with its counterpart. */
  readonly own: Evidence | undefined
  readonly held: Evidence
  readonly other: Recorded | undefined
}

async function find(c: Visit): Promise<Found | undefined> {
  const { city } = c.get('desk')
  const index = Number(c.req.param('index'))
  const recorded = Number.isSafeInteger(index) ? await city.ledger.entry(index) : undefined
  if (recorded === undefined || !mayRead(c, recorded.entry)) return undefined
  const other = await counterpart(recorded, city)
  const [own, theirs] = await Promise.all([
    city.ledger.evidence(index),
    other && city.ledger.evidence(other.receipt.index),
  ])
  return { recorded, own, held: { ...theirs, ...own }, other }
}

/** What our own staff did is for those who audit it. */
function mayRead(c: Visit, { kind }: Entry): boolean {
  const staff = c.get('staff')
  const isExchange = ['answered', 'refused', 'asked', 'outcome', 'declined', 'reported'].includes(kind)
  return isExchange || (staff !== undefined && reaches(staff.role, 'auditor'))
}

async function note(c: Visit, action: 'viewed' | 'verified', { recorded }: Found, page = 'entry'): Promise<void> {
  const staff = c.get('staff')
  if (staff === undefined) return
  const subjects = reaches(staff.role, 'auditor') ? subjectsOf(recorded.entry).slice(0, MOST) : []
  await c.get('desk').staff.recorded(staff, action, page, { subjects, entries: [recorded.receipt.index] })
}

function nothing(c: Visit): Promise<Response> {
  const t = words[c.get('language')]
  return page(c, { title: t.none, status: 404 }, html`<h1>${t.none}</h1>${trouble(t.none, t.noneWhy)}`)
}

type More = { readonly originals?: true; readonly findings?: readonly Finding[] }

async function entryDocument(
  c: Visit,
  { recorded, held, own, other }: Found,
  { originals, findings }: More,
): Promise<Response> {
  const [language, staff] = [c.get('language'), c.get('staff')]
  const [t, s] = [words[language], shared[language]]
  const { entry, receipt } = recorded
  const active = activeOf(entry)
  const number = t.title(countOf(receipt.index, language))
  const title = titleOf(entry, c)
  const outcome = isAsking(entry) ? outcomeOf(entry, language) : undefined
  const view = isExchanged(entry) ? viewOf(entry, held, c.get('desk').city) : undefined
  const isLacking = isEmpty(own) || (isAnswered(entry) && (view?.left === undefined || view.withheld === undefined))
  const gone = isExchanged(entry) && isLacking ? await whyGone(recorded, c.get('desk').city) : undefined
  const sees = staff !== undefined && reaches(staff.role, 'auditor')
  const at = `${BASE}/entry/${receipt.index}`
  const body = html`
<div class="head"><h1>${title} ${outcome && html`<span class="tag ${outcome.tone}">${outcome.said}</span> `}<span class="soft small">${number}</span></h1>
<p><a class="button" href="${listOf(active, dayOf(entry.at))}">${t.backTo(s[active])}</a></p></div>
<section class="sheet"><p class="said">${sentence(entry, c)}</p>
${
  sees &&
  html`<div class="does">
<form method="post" action="${at}/verify"><input type="hidden" name="_csrf" value="${staff.csrf}"><button class="button first">${t.verify}</button></form>
${!originals && html`<a class="button" href="${at}/originals#originals">${t.originals}</a>`}
</div>`
}</section>
${findings !== undefined && proofOf(findings, language)}
${originals && originalsOf(own, gone, language)}
${exchangeParts(entry, view, gone, c)}
<section class="sheet"><h2>${t.facts}</h2>${facts(recorded, other, c)}</section>`
  const named = [title, ...(outcome === undefined ? [] : [outcome.said]), number].join(' · ')
  return page(c, { title: named, active, address: at }, body)
}

function isEmpty(held: Evidence | undefined): boolean {
  return held?.question === undefined && held?.answer === undefined
}

function isAnswered(entry: Entry): boolean {
  return entry.kind === 'answered' || (entry.kind === 'outcome' && entry.outcome === 'answered')
}

/** Whether something came of it that one word says. */
function isAsking({ kind }: Entry): boolean {
  return kind === 'answered' || kind === 'refused' || kind === 'asked' || kind === 'outcome' || kind === 'declined'
}

/** What an entry is of, for its heading. */
function titleOf(entry: Entry, c: Visit): string {
  const language = c.get('language')
  const t = words[language]
  switch (entry.kind) {
    case 'answered':
    case 'refused':
      return t.questionFrom(cityName(entry.peer, c))
    case 'asked':
    case 'outcome':
    case 'declined':
      return t.questionTo(entry.peer === '*' ? t.allCities : cityName(entry.peer, c))
    case 'reported':
      return t.reportFor(departmentName(entry.department, c))
    case 'staff':
      return t.deedBy(entry.staff, deedOf(entry, language))
    case 'held':
      return t.deedBy(entry.staff, t[`hold-${entry.action}`])
    case 'expired':
      return t.letGoTitle
    default:
      return t.configuredTitle
  }
}

/** The list in which the entry stands, of its day. */
function listOf(active: keyof typeof lists, day: string): string {
  return `${BASE}/${lists[active]}?${new URLSearchParams({ from: day, until: day })}`
}

const lists = { inbound: 'in', outbound: 'out', records: 'records' } as const

function activeOf({ kind }: Entry): keyof typeof lists {
  if (kind === 'answered' || kind === 'refused') return 'inbound'
  return kind === 'asked' || kind === 'outcome' || kind === 'declined' || kind === 'reported' ? 'outbound' : 'records'
}

/** The whole exchange as one would tell it. */
export function sentence(entry: Entry, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const at = clock(entry.at)
  const why = whyOf(entry, language)
  const what = {
    us: cityName(entry.city, c),
    peer: 'peer' in entry ? (entry.peer === '*' ? t.allCities : cityName(entry.peer, c)) : '',
    purpose: 'purpose' in entry ? purposeName(entry.purpose, c) : '',
    matter: 'matter' in entry ? entry.matter : '',
    about: aboutWhom(entry, c.get('staff'), language),
    department: 'department' in entry ? departmentName(entry.department, c) : '',
    agreement: 'agreement' in entry ? agreementName(entry.agreement, c) : '',
  }
  const because = why === undefined ? '' : `${t.because}${why}`
  // The public text of a refusal is a whole sentence in English, with its own full stop.
  const came = html`${t.gap}<b>${outcomeOf(entry, language).said}</b>${because}${because.endsWith(t.stop) ? '' : t.stop}`
  if (entry.kind === 'answered' || entry.kind === 'refused') return html`${t.askedUs(at, what)}${came}`
  if (entry.kind === 'asked' || entry.kind === 'outcome') return html`${t.weAsked(at, what)}${came}`
  if (entry.kind === 'declined') return html`${t.wantedTo(at, what)}${came}`
  if (entry.kind === 'reported') return html`${t.weReported(at, what)}`
  if (entry.kind === 'staff') return html`${t.staffDid(at, entry.staff, deedOf(entry, language))}`
  if (entry.kind === 'held')
    return html`${t.staffDid(at, entry.staff, `${t[`hold-${entry.action}`]} (${entry.reason})`)}`
  if (entry.kind === 'expired') return html`${t.evidenceExpired(at, entry.count, entry.from, entry.until)}`
  return html`${t.configured(at, entry.changed.length)}`
}

/** One subject is named, as far as this person may see its code; more are counted. */
function aboutWhom(entry: Entry, staff: Staff | undefined, language: Language): string {
  const t = words[language]
  const subjects = subjectsOf(entry)
  const [first, ...others] = subjects
  if (first === undefined || others.length > 0) return t.aboutMany(subjects.length)
  return first === 'refused' ? t.aboutNoCode : t.aboutOne(codeOf(first, staff))
}

function agreementName({ id, digest }: { readonly id: string; readonly digest: string }, c: Visit): string {
  const signed = c.get('desk').city.agreements.find(id)
  return signed?.digest === digest ? signed.text.title[c.get('language')] : id
}

/** With the way to its page, where that is still the text of then. */
function agreementLink(agreement: { readonly id: string; readonly digest: string }, c: Visit): Markup {
  const name = agreementName(agreement, c)
  const isHeld = c.get('desk').city.agreements.find(agreement.id)?.digest === agreement.digest
  return isHeld
    ? html`<a href="${BASE}/agreements?agreement=${encodeURIComponent(agreement.id)}">${name}</a>`
    : html`${name}`
}

function exchangeParts(entry: Entry, view: View | undefined, gone: Said | undefined, c: Visit): Markup {
  if (!isExchanged(entry) || view === undefined) return subjectsOf(entry).length > 0 ? subjectsSheet(entry, c) : html``
  return html`${subjectsSheet(entry, c)}${isAnswered(entry) && html`${leftSheet(entry, view, gone, c)}${withheldSheet(view, gone, c)}`}`
}

function subjectsSheet(entry: Entry, c: Visit): Markup {
  const [language, staff] = [c.get('language'), c.get('staff')]
  const [t, s] = [words[language], shared[language]]
  const subjects = subjectsOf(entry)
  const isAnswered = entry.kind === 'answered'
  const families = isAnswered ? Object.entries(entry.disclosed) : []
  const row = (subject: string, i: number) => {
    const { said, tone } = statusOf((isAnswered ? entry.status[i] : undefined) ?? 'unknown', language)
    const given = families.flatMap(([family, { records }]) =>
      (records[i] ?? 0) > 0 ? [t.records(familyName(family, c), records[i] ?? 0)] : [],
    )
    return html`<tr><th scope="row" data-label="${s.subject}">${subjectName(subject, staff, language)}</th>
${isAnswered && html`<td data-label="${s.outcome}"><span class="tag ${tone}">${said}</span></td><td data-label="${t.given}">${given.length === 0 ? t.noRecords : given.join(language === 'zh' ? '，' : ', ')}</td>`}</tr>`
  }
  return html`<section class="sheet"><h2>${t.subjects(subjects.length)}</h2>
<table class="stacked"><thead><tr><th scope="col">${s.subject}</th>${isAnswered && html`<th scope="col">${s.outcome}</th><th scope="col">${t.given}</th>`}</tr></thead>
<tbody>${subjects.slice(0, MOST).map(row)}</tbody></table>
${subjects.length > MOST && html`<p class="soft small">${t.firstOf(MOST)}</p>`}</section>`
}

function familyName(code: string, c: Visit): string {
  return c.get('desk').city.vocabulary.families.get(code)?.[c.get('language')] ?? code
}

function fieldName(family: string, field: string, c: Visit): string {
  return c.get('desk').city.vocabulary.families.get(family)?.fields.get(field)?.[c.get('language')] ?? field
}

function leftSheet(entry: Exchanged, { left, isAgreementHeld }: View, gone: Said | undefined, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const title = entry.kind === 'answered' ? t.left : t.came
  if (left === undefined)
    return html`<section class="sheet"><h2>${title}</h2>${empty(t.gone, gone?.[language] ?? '')}</section>`
  if (left.length === 0)
    return html`<section class="sheet"><h2>${title}</h2>${empty(t.nothingLeft, t.nothingLeftWhy)}</section>`
  const family = ({ family, records, fields }: Left) => {
    // Fields that the same clauses let go stand in one line.
    const groups = [...Map.groupBy(fields, ({ clauses }) => clauses.join(language === 'zh' ? '、' : ', '))]
    return groups.map(
      ([clauses, of], i) => html`<tr>
${i === 0 && html`<th scope="rowgroup" rowspan="${groups.length}">${familyName(family, c)}<span class="row small soft">${t.nRecords(records)}</span></th>`}
<td data-label="${t.fields}">${of.map(({ name }) => fieldName(family, name, c)).join(language === 'zh' ? '、' : ', ')}</td>
<td data-label="${t.clause}" class="whole">${clauses === '' ? '—' : clauses}</td></tr>`,
    )
  }
  return html`<section class="sheet"><h2>${title}</h2>
${!isAgreementHeld && html`<p class="soft small">${t.otherAgreement}</p>`}
<table class="stacked"><thead><tr><th scope="col">${t.family}</th><th scope="col">${t.fields}</th><th scope="col">${t.clause}</th></tr></thead>
<tbody>${left.map(family)}</tbody></table></section>`
}

function withheldSheet({ withheld }: View, gone: Said | undefined, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  if (withheld === undefined)
    return html`<section class="sheet"><h2>${t.withheld}</h2>${empty(t.gone, gone?.[language] ?? '')}</section>`
  if (withheld.length === 0)
    return html`<section class="sheet"><h2>${t.withheld}</h2>${empty(t.nothingWithheld, t.nothingWithheldWhy)}</section>`
  const joint = language === 'zh' ? '、' : ', '
  const rule = (code: RefusalCode) => refusals[code][language]
  const kindName = (kind: string) =>
    c.get('desk').city.vocabulary.sets.get('subject-kinds')?.get(kind)?.[language] ?? kind
  const row = (each: NonNullable<View['withheld']>[number], i: number, all: NonNullable<View['withheld']>) => {
    const what =
      'fields' in each
        ? each.fields.map(field => fieldName(each.family, field, c)).join(joint)
        : 'kinds' in each
          ? t.aboutKinds(each.kinds.map(kindName).join(joint))
          : 'records' in each
            ? t.recordsIfAny
            : t.wholeFamily
    return html`<tr>${i === 0 && html`<th scope="rowgroup" rowspan="${all.length}">${familyName(each.family, c)}</th>`}<td data-label="${t.what}">${what}</td><td data-label="${t.rule}">${'records' in each ? html`<ul>${each.records.map(code => html`<li>${rule(code)}</li>`)}</ul>` : rule(each.rule)}</td></tr>`
  }
  const families = [...Map.groupBy(withheld, ({ family }) => family).values()]
  return html`<section class="sheet"><h2>${t.withheld}</h2><p class="soft">${t.withheldWhat}</p>
<table class="stacked"><thead><tr><th scope="col">${t.family}</th><th scope="col">${t.what}</th><th scope="col">${t.rule}</th></tr></thead>
<tbody>${families.map(of => of.map(row))}</tbody></table></section>`
}

function facts({ entry, receipt }: Recorded, other: Recorded | undefined, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const rows: (readonly [string, string | Markup | undefined])[] = [
    [
      s.time,
      html`<time datetime="${entry.at}">${clock(entry.at)}</time> <span class="soft small">${t.shanghai}</span>`,
    ],
    [s.peer, 'peer' in entry ? (entry.peer === '*' ? t.allCities : cityName(entry.peer, c)) : undefined],
    [s.department, 'department' in entry ? departmentCell(entry.department, c) : undefined],
    [s.purpose, 'purpose' in entry ? purposeName(entry.purpose, c) : undefined],
    [s.matter, 'matter' in entry ? entry.matter : undefined],
    [
      s.agreement,
      'agreement' in entry
        ? html`${agreementLink(entry.agreement, c)} <span class="row small soft code">${entry.agreement.id}</span>`
        : undefined,
    ],
    [
      s.reason,
      'code' in entry && entry.code !== undefined
        ? html`${whyOf(entry, language)} <span class="row small soft">${t.code} <span class="code">${entry.code}</span></span>`
        : undefined,
    ],
    [t.message, 'jti' in entry ? html`<span class="code">${entry.jti}</span>` : undefined],
    [t.held, 'heldUntil' in entry && entry.heldUntil !== undefined ? clock(entry.heldUntil).slice(0, 10) : undefined],
    [t.place, html`<span class="code">${countOf(receipt.index, language)}</span>`],
    [t.leaf, html`<span class="code">${receipt.leaf}</span>`],
    [t.link, html`<span class="code">${receipt.link}</span>`],
    [
      t.there,
      entry.kind === 'outcome' && entry.receipt !== undefined
        ? t.entryThere(countOf(entry.receipt.index, language))
        : undefined,
    ],
    [
      entry.kind === 'asked' ? t.itsOutcome : t.itsQuestion,
      other &&
        html`<a href="${BASE}/entry/${other.receipt.index}">${t.title(countOf(other.receipt.index, language))}</a>`,
    ],
    [
      t.filter,
      entry.kind === 'staff' && entry.action !== 'acknowledged' && entry.filter !== undefined
        ? soughtOf(entry.filter, c)
        : undefined,
    ],
    [
      t.statement,
      entry.kind === 'staff' && entry.action === 'acknowledged' && entry.filter !== undefined
        ? html`<span class="code">${entry.filter}</span>`
        : undefined,
    ],
  ]
  return html`<dl class="facts">${rows.map(([name, said]) => said !== undefined && html`<div><dt>${name}</dt><dd>${said}</dd></div>`)}</dl>`
}

function departmentCell(id: string, c: Visit): Markup {
  const name = departmentName(id, c)
  return html`${name}${name !== id && html` <span class="small soft code">${id}</span>`}`
}

function proofOf(findings: readonly Finding[], language: Language): Markup {
  const t = words[language]
  const count = (wanted: Finding['ok']) => findings.filter(({ ok }) => ok === wanted).length
  const [hold, open] = [count(true), count('open')]
  const tone = ({ ok }: Finding) => (ok === true ? 'good' : ok === 'open' ? 'warn' : 'bad')
  const word = ({ ok }: Finding) => (ok === true ? t.holds : ok === 'open' ? t.openFinding : t.fails)
  return html`<section class="sheet" role="status"><h2>${count(false) > 0 ? t.notProved : open > 0 ? t.provedInPart(hold, open) : t.proved}</h2>
${count(false) === 0 && open > 0 && html`<p class="soft">${t.openWhat}</p>`}
<ul class="findings">${findings.map(each => html`<li><span class="tag ${tone(each)}">${word(each)}</span> <span>${each[language]}</span></li>`)}</ul></section>`
}

/** The one place where something is shown as it was sent: who asks for the originals wants them to the letter. */
function originalsOf(held: Evidence | undefined, gone: Said | undefined, language: Language): Markup {
  const t = words[language]
  if (held === undefined || isEmpty(held)) {
    return html`<section class="sheet" id="originals"><h2>${t.originals}</h2>${empty(t.noOriginals, gone?.[language] ?? t.unsigned)}</section>`
  }
  const part = (title: string, token: string | undefined) =>
    token !== undefined &&
    html`<h3>${title}</h3>
${token.includes('.') && !token.startsWith('{') && html`<p class="small soft">${t.header}</p><pre tabindex="0">${pretty(headerOf(token))}</pre>`}
<p class="small soft">${t.claims}</p><pre tabindex="0">${pretty(token.startsWith('{') ? parsed(token) : claimsOf(token))}</pre>
<details><summary>${t.raw}</summary><pre tabindex="0">${token}</pre></details>`
  return html`<section class="sheet" id="originals"><h2>${t.originals}</h2>${part(t.question, held.question)}${part(t.answer, held.answer)}</section>`
}

function headerOf(token: string): unknown {
  return parsed(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function pretty(value: unknown): string {
  return value === undefined ? '—' : JSON.stringify(value, null, 2)
}

type What = {
  readonly us: string
  readonly peer: string
  readonly purpose: string
  readonly matter: string
  readonly about: string
  readonly department: string
  readonly agreement: string
}

const words = spoken({
  none: { zh: '没有这条记录', en: 'There is no such entry' },
  noneWhy: {
    zh: '日志中没有这个序号，或当前角色不能查看。',
    en: 'The ledger has no such index, or your role may not see it.',
  },
  title: (n: string) => ({ zh: `日志第 ${n} 条`, en: `Entry ${n}` }),
  questionFrom: (peer: string) => ({ zh: `${peer}的查询`, en: `Question from ${peer}` }),
  questionTo: (peer: string) => ({ zh: `向${peer}的查询`, en: `Question to ${peer}` }),
  reportFor: (department: string) => ({
    zh: `为“${department}”出具的信用报告`,
    en: `Credit report for “${department}”`,
  }),
  deedBy: (who: string, did: string) => ({ zh: `${who} · ${did}`, en: `${who} · ${did}` }),
  letGoTitle: { zh: '签名原文期满删除', en: 'Signed texts let go' },
  configuredTitle: { zh: '配置生效', en: 'A configuration took effect' },
  backTo: (list: string) => ({ zh: `回到当日${list}`, en: 'Back to the list of that day' }),
  aboutOne: (code: string) => ({ zh: `主体 ${code}`, en: `subject ${code}` }),
  aboutMany: (n: number) => ({ zh: ` ${n} 个主体`, en: n === 1 ? '1 subject' : `${n} subjects` }),
  aboutNoCode: { zh: ' 1 个主体（代码无效，未保存）', en: '1 subject (its code invalid, and not kept)' },
  stop: { zh: '。', en: '.' },
  because: { zh: '：', en: ': ' },
  gap: { zh: '', en: ' ' },
  allCities: { zh: '所有城市', en: 'all cities' },
  askedUs: (at: string, { us, peer, purpose, matter, about, agreement }: What) => ({
    zh: `${at}，${peer}依据《${agreement}》，以“${purpose}”为目的，就事由“${matter}”，向${us}查询${about}。结果：`,
    en: `At ${at}, under “${agreement}”, ${peer} asked ${us} about ${about} for ${purpose}, matter “${matter}”. Outcome:`,
  }),
  weAsked: (at: string, { us, peer, purpose, matter, about, department, agreement }: What) => ({
    zh: `${at}，${us}“${department}”依据《${agreement}》，以“${purpose}”为目的，就事由“${matter}”，向${peer}查询${about}。结果：`,
    en: `At ${at}, under “${agreement}”, the department “${department}” of ${us} asked ${peer} about ${about} for ${purpose}, matter “${matter}”. Outcome:`,
  }),
  wantedTo: (at: string, { us, peer, purpose, matter, about, department }: What) => ({
    zh: `${at}，${us}“${department}”拟以“${purpose}”为目的，就事由“${matter}”，向${peer}查询${about}。结果：`,
    en: `At ${at}, the department “${department}” of ${us} wanted to ask ${peer} about ${about} for ${purpose}, matter “${matter}”. Outcome:`,
  }),
  weReported: (at: string, { us, purpose, matter, department }: What) => ({
    zh: `${at}，${us}为“${department}”出具了信用报告，目的“${purpose}”，事由“${matter}”。`,
    en: `At ${at}, ${us} made a credit report for the department “${department}”, purpose ${purpose}, matter “${matter}”.`,
  }),
  staffDid: (at: string, who: string, did: string) => ({
    zh: `${at}，${who}，${did}。`,
    en: `At ${at}, ${who}. ${did}.`,
  }),
  evidenceExpired: (at: string, n: number, from: number, until: number) => ({
    zh: `${at}，第 ${from} 至 ${until - 1} 条中 ${n} 条的签名原文保存期满，已按规定删除。`,
    en: `At ${at}, the signed texts of ${n} of the entries ${from} to ${until - 1} were let go: their time was over.`,
  }),
  configured: (at: string, n: number) => ({
    zh: `${at}，配置生效，${n} 个文件有变化。`,
    en: `At ${at}, a configuration took effect; ${n} files had changed.`,
  }),
  'hold-placed': { zh: '法定保全', en: 'placed a hold' },
  'hold-lifted': { zh: '解除保全', en: 'lifted a hold' },
  subjects: (n: number) => ({ zh: `查询的主体（${n}）`, en: `Subjects (${n})` }),
  firstOf: (n: number) => ({ zh: `只显示前 ${n} 个，全部见导出文件。`, en: `The first ${n}; an export has them all.` }),
  given: { zh: '提供的记录', en: 'Records given' },
  records: (family: string, n: number) => ({ zh: `${family} ${n} 条`, en: `${family}: ${n}` }),
  nRecords: (n: number) => ({ zh: `${n} 条记录`, en: n === 1 ? '1 record' : `${n} records` }),
  noRecords: { zh: '无', en: 'None' },
  left: { zh: '提供的字段及依据', en: 'Fields given, and by which clause' },
  came: { zh: '收到的字段及依据', en: 'Fields received, and by which clause' },
  family: { zh: '信息类别', en: 'Family' },
  fields: { zh: '字段', en: 'Fields' },
  clause: { zh: '协议条款', en: 'Clause' },
  otherAgreement: {
    zh: '当时的协议文本已不在本机，条款无法列出。',
    en: 'The agreement of that time is no longer held here, so clauses cannot be named.',
  },
  gone: { zh: '已无法列出', en: 'It can no longer be said' },
  nothingLeft: { zh: '没有提供任何记录', en: 'No record was given' },
  nothingLeftWhy: {
    zh: '对所查主体没有可以提供的记录。',
    en: 'There was no record about the subjects that may be given.',
  },
  withheld: { zh: '不提供的内容及规则', en: 'What is not given, and by which rule' },
  withheldWhat: {
    zh: '只说明规则，不表示是否存在这样的记录。',
    en: 'A rule says what kind of thing is not given, never whether there is one.',
  },
  nothingWithheld: { zh: '没有不提供的内容', en: 'Nothing was withheld' },
  nothingWithheldWhy: { zh: '所查询的内容，协议均允许提供。', en: 'The agreement gives all that was asked.' },
  what: { zh: '内容', en: 'What' },
  rule: { zh: '规则', en: 'Rule' },
  aboutKinds: (kinds: string) => ({ zh: `关于${kinds}的记录`, en: `Records about ${kinds}` }),
  recordsIfAny: { zh: '下列记录，如有', en: 'Records of these kinds, if any' },
  wholeFamily: { zh: '整个信息类别', en: 'The whole family' },
  facts: { zh: '记录详情', en: 'Details' },
  shanghai: { zh: '北京时间', en: 'Beijing time' },
  code: { zh: '代码', en: 'code' },
  message: { zh: '报文编号', en: 'Message number' },
  held: { zh: '原文保存至', en: 'Signed texts held until' },
  place: { zh: '日志序号', en: 'Ledger index' },
  leaf: { zh: '条目摘要', en: 'Digest of the entry' },
  link: { zh: '链值', en: 'Chain value' },
  there: { zh: '对方日志', en: 'In the peer’s ledger' },
  entryThere: (n: string) => ({ zh: `第 ${n} 条`, en: `entry ${n}` }),
  itsOutcome: { zh: '对应结果', en: 'Its outcome' },
  itsQuestion: { zh: '对应查询', en: 'Its question' },
  filter: { zh: '查找条件', en: 'Looked for' },
  statement: { zh: '确认的内容', en: 'Acknowledged' },
  verify: { zh: '核验', en: 'Verify' },
  originals: { zh: '签名原文', en: 'Signed originals' },
  noOriginals: { zh: '没有保存的原文', en: 'No originals are held' },
  unsigned: { zh: '此类条目没有签名报文。', en: 'An entry of this kind has no signed message.' },
  question: { zh: '查询', en: 'The question' },
  answer: { zh: '答复', en: 'The answer' },
  header: { zh: '报文头', en: 'Header' },
  claims: { zh: '内容', en: 'Content' },
  raw: { zh: '原始报文', en: 'The token as it was sent' },
  proved: { zh: '核验通过', en: 'Verified' },
  provedInPart: (hold: number, open: number) => ({
    zh: `${hold} 项相符，${open} 项无法核验`,
    en: `${hold} hold, ${open} could not be checked`,
  }),
  openWhat: {
    zh: '无法核验，是没有可对照的东西，不是发现了不符；原因见该项。',
    en: 'What could not be checked has nothing to be held against, and says why; nothing was found to be wrong.',
  },
  notProved: {
    zh: '核验未通过：请保存现场并联系技术负责人',
    en: 'Not verified: keep everything as it is and call the technical lead',
  },
  holds: { zh: '相符', en: 'Holds' },
  openFinding: { zh: '无法核验', en: 'Not checked' },
  fails: { zh: '不符', en: 'Fails' },
})
