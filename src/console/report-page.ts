/** A signed credit report is made once, for a department, and then printed or taken as its file as often as is needed. */
import { html } from 'hono/html'
import { ReportRequest } from '#exchange/report.ts'
import { Refusal } from '#protocol/refusal.ts'
import {
  codeFaults,
  commonFields,
  departmentOf,
  linesOf,
  mandateOf,
  nothingTyped,
  refusedNote,
  type Status,
  statusOf,
  type Typed,
} from './asking.ts'
import { BASE, type Visit } from './desk.ts'
import { field } from './form.ts'
import { MINUTES } from './kept.ts'
import { type Markup, page, trouble } from './layout.ts'
import { cityName, clock, codeOf, dayOf, purposeName } from './shown.ts'
import { words as shared, spoken } from './words.ts'

type Asked = Typed & { readonly from: string; readonly to: string }

/** Years that a report looks back unless told. */
const YEARS = 3

/** `GET /report`: the form. */
export function reportPage(c: Visit): Promise<Response> {
  const to = dayOf(c.get('desk').city.now())
  const from = Temporal.PlainDate.from(to).subtract({ years: YEARS }).toString()
  return formPage(c, { ...nothingTyped, codes: c.req.query('codes') ?? '', from, to })
}

/** `POST /report`: asks the peers, looks into our own tables, signs; then goes to where the report is shown. */
export async function makeReport(c: Visit): Promise<Response> {
  const [{ asking, city, staff: staffing }, staff, language] = [c.get('desk'), c.get('staff'), c.get('language')]
  const t = words[language]
  const typed = await typedIn(c)
  const department = departmentOf(typed, mandateOf(c).departments)
  if (staff === undefined || department === undefined) {
    return formPage(c, typed, trouble(t.notYours, t.notYoursWhy), 403)
  }
  const lines = linesOf(typed.codes)
  const faults = codeFaults(lines, c)
  const again = faults === '' ? typed : { ...typed, codes: '' }
  if (faults !== '') return formPage(c, again, faults, 400)
  const [{ uscc } = { uscc: undefined }, ...more] = lines
  if (uscc === undefined || more.length > 0) return formPage(c, typed, trouble(t.oneOnly, t.oneOnlyWhy), 400)
  const { peer, purpose, matter, from, to } = typed
  const request = ReportRequest.safeParse({ subject: uscc, purpose, matter, period: { from, to }, peer })
  if (!request.success) return formPage(c, typed, trouble(t.lacking, t.lackingWhy), 400)
  try {
    const filter = new URLSearchParams({ department: department.id, peer, purpose }).toString()
    await staffing.recorded(staff, 'asked', 'report', { subjects: [uscc], filter })
    const file = await asking.report(request.data, department, city)
    const id = asking.kept.put(staff.name, { kind: 'report', at: city.now(), file })
    return c.redirect(`${BASE}/report/made?id=${id}`, 303)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return formPage(c, typed, refusedNote(error, c), statusOf(error))
  }
}

async function typedIn(c: Visit): Promise<Asked> {
  const [department = '', peer = '', purpose = '', matter = '', codes = '', from = '', to = ''] = await Promise.all(
    ['department', 'peer', 'purpose', 'matter', 'codes', 'from', 'to'].map(name => field(c, name)),
  )
  return { department, peer: peer || '*', purpose, matter: matter.trim(), codes, from, to }
}

function formPage(c: Visit, typed: Asked, wrong: Markup | '' = '', status: Status = 200): Promise<Response> {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const { departments, missing } = mandateOf(c)
  const today = dayOf(c.get('desk').city.now())
  const body = html`<div class="head"><h1>${t.title}</h1><p><a class="button" href="${BASE}/ask">${s.ask}</a></p></div>
<p class="lead">${t.lead}</p>
${missing}
${wrong}
${
  departments.length > 0 &&
  html`<section class="sheet"><form class="filter" method="post" action="${BASE}/report">
${commonFields(c, typed, departments)}
<label>${t.code}<input name="codes" required maxlength="64" autocomplete="off" spellcheck="false" value="${typed.codes}"></label>
<label>${t.from}<input type="date" name="from" required max="${today}" value="${typed.from}"></label>
<label>${t.to}<input type="date" name="to" required max="${today}" value="${typed.to}"></label>
<div class="does across"><button class="button first">${t.make}</button></div></form></section>`
}`
  return page(c, { title: t.title, active: 'ask', status }, body)
}

/** `GET /report/made?id=`: what was made, with the ways to print it and to take its file. */
export function madePage(c: Visit): Promise<Response> {
  const [{ asking }, staff, language] = [c.get('desk'), c.get('staff'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const id = c.req.query('id') ?? ''
  const kept = staff && asking.kept.report(staff.name, id)
  if (kept === undefined) return gonePage(c)
  const { report: made, code } = kept.file
  const query = new URLSearchParams({ id })
  const body = html`<div class="head"><h1>${t.title}</h1><p><a class="button" href="${BASE}/report">${t.another}</a></p></div>
<div class="told"><p><b>${t.signed}</b> ${t.signedWhy}</p></div>
<section class="sheet"><dl class="facts">
<div><dt>${t.verification}</dt><dd><code>${code}</code></dd></div>
<div><dt>${s.subject}</dt><dd><code>${codeOf(made.subject.code, staff)}</code> ${made.subject.names.map(({ name }) => html`<bdi>${name}</bdi> `)}</dd></div>
<div><dt>${s.department}</dt><dd>${made.issuer.department.name}</dd></div>
<div><dt>${s.purpose}</dt><dd>${purposeName(made.purpose.code, c)}</dd></div>
<div><dt>${s.matter}</dt><dd>${made.matter}</dd></div>
<div><dt>${t.validUntil}</dt><dd>${clock(made.exp * 1000)}</dd></div>
</dl>
<div class="does"><a class="button first" href="${BASE}/report/print?${query}">${t.print}</a><a class="button" href="${BASE}/report/file?${query}">${t.file}</a></div>
<p class="soft small">${t.keptFor(MINUTES)}</p></section>
<section class="sheet"><h2>${t.cities}</h2><table class="stacked"><thead><tr><th scope="col">${s.peer}</th><th scope="col">${s.outcome}</th></tr></thead>
<tbody>${made.cities.map(
    ({ city, outcome, reason }) =>
      html`<tr><th scope="row">${cityName(city, c)}</th><td data-label="${s.outcome}"><span class="tag ${hues[outcome]}">${t[`is-${outcome}`]}</span>${reason && html`<span class="row small">${reason[language]}</span>`}</td></tr>`,
  )}</tbody></table></section>`
  return page(c, { title: t.title, active: 'ask' }, body)
}

const hues = { own: 'good', answered: 'good', refused: 'bad', unknown: 'warn', 'not-asked': '' } as const

function gonePage(c: Visit): Promise<Response> {
  const t = words[c.get('language')]
  const body = html`<h1>${t.title}</h1>${trouble(t.gone, t.goneWhy)}<p><a class="button" href="${BASE}/report">${t.another}</a></p>`
  return page(c, { title: t.title, active: 'ask', status: 404 }, body)
}

/** `GET /report/print?id=`: the report as it is printed. Its own style stands in it, and nothing else may. */
export async function printPage(c: Visit): Promise<Response> {
  const [{ asking, staff: staffing }, staff] = [c.get('desk'), c.get('staff')]
  const kept = staff && asking.kept.report(staff.name, c.req.query('id'))
  if (kept === undefined || staff === undefined) return gonePage(c)
  await staffing.recorded(staff, 'viewed', 'report', seen(kept.file.report))
  c.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  return c.html(await asking.reportPage(kept.file.report))
}

/** `GET /report/file?id=`: the signed file, as it is handed over. */
export async function reportFile(c: Visit): Promise<Response> {
  const [{ asking, staff: staffing }, staff] = [c.get('desk'), c.get('staff')]
  const kept = staff && asking.kept.report(staff.name, c.req.query('id'))
  if (kept === undefined || staff === undefined) return gonePage(c)
  await staffing.recorded(staff, 'exported', 'report', seen(kept.file.report))
  c.header('content-disposition', `attachment; filename="report-${kept.file.code}.json"`)
  return c.body(`${JSON.stringify(kept.file)}\n`, 200, { 'content-type': 'application/json' })
}

/** Whose report it is, as the ledger keeps it, and which. */
function seen({ subject, jti }: { readonly subject: { readonly code: string }; readonly jti: string }) {
  return { subjects: linesOf(subject.code).flatMap(({ uscc }) => uscc ?? []), filter: `report=${jti}` }
}

const words = spoken({
  title: { zh: '信用报告', en: 'Credit report' },
  lead: {
    zh: '汇集本市和其他城市的社会公开信息，可代替有无违法违规证明。报告经本市签名，出具后三十日内有效。',
    en: 'Gathers what this city and others hold open to the public, in place of a certificate of no violation; signed by this city, valid for thirty days.',
  },
  code: { zh: '统一社会信用代码', en: 'Unified social credit code' },
  from: { zh: '期间自', en: 'Period from' },
  to: { zh: '期间至', en: 'Period to' },
  make: { zh: '出具报告', en: 'Make the report' },
  another: { zh: '另出一份', en: 'Make another' },
  notYours: { zh: '不能以该部门名义出具', en: 'You do not ask for that department' },
  notYoursWhy: { zh: '请选择您所代表的部门。', en: 'Choose one that you ask for.' },
  oneOnly: { zh: '一份报告只载一个主体', en: 'A report is of one subject' },
  oneOnlyWhy: { zh: '请只填写一个代码。', en: 'Give one code.' },
  lacking: { zh: '请填全目的、事由和期间', en: 'Give purpose, matter and period' },
  lackingWhy: { zh: '期间的起始日不得晚于截止日。', en: 'The period must not end before it begins.' },
  signed: { zh: '报告已出具。', en: 'The report is made.' },
  signedWhy: {
    zh: '以附有电子签名的文件为准；纸质件凭核验码与文件核对。',
    en: 'The signed file is the report; a printed copy is checked against it by the verification code.',
  },
  verification: { zh: '核验码', en: 'Verification code' },
  validUntil: { zh: '有效至', en: 'Valid until' },
  print: { zh: '打印页', en: 'Page to print' },
  file: { zh: '下载签名文件', en: 'Download the signed file' },
  keptFor: (minutes: number) => ({
    zh: `在此保留 ${minutes} 分钟，请及时下载；重新打开不会再次查询。`,
    en: `Kept here for ${minutes} minutes: download the file in time. Opening this page again asks nobody again.`,
  }),
  cities: { zh: '查询的城市', en: 'Cities asked' },
  'is-own': { zh: '本市', en: 'Own records' },
  'is-answered': { zh: '已答复', en: 'Answered' },
  'is-refused': { zh: '未受理', en: 'Refused' },
  'is-unknown': { zh: '未知', en: 'Unknown' },
  'is-not-asked': { zh: '未查询', en: 'Not asked' },
  gone: { zh: '报告已不再保留', en: 'This report is no longer kept' },
  goneWhy: {
    zh: '报告只保留一段时间，且只供出具人本人查看。请重新出具。',
    en: 'Reports are kept for a while and for who made them alone. Make it anew.',
  },
})
