/** A report as a page that prints on A4 and reads without a script: it shows what was signed, and nothing else. */
import { html, raw } from 'hono/html'
import { encodeQR } from 'qr'
import { codeOf, type Report } from '#exchange/report.ts'
import type { Entry, Note, Section } from '#exchange/sections.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { freshnessWords } from '#protocol/freshness.ts'
import { shanghai } from './report-proof.ts'

type Markup = ReturnType<typeof html>

/**
 * The page: a whole HTML document, in UTF-8, that loads nothing. All text of the report is escaped. It proves nothing by
 * itself: code and digest are worked out here, for whoever holds it against the signed file.
 */
export async function reportPage(report: Report): Promise<string> {
  const digest = sha256(canonical(report))
  const proof = { code: codeOf(digest), digest }
  const names = new Map(report.cities.map(({ city, name }) => [city, name]))
  const rules = rulesIn(report)
  const page = await html`<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>公共信用信息跨市查询报告 ${proof.code}</title>
<style>${raw(styleFor(proof.code))}</style>
</head>
<body>
<main>
${heading(report, proof)}
${about(report, names)}
${citiesTable(report)}
${report.sections.map((section, i) => sectionOf(section, i, { report, names, rules }))}
${closing(report, proof, rules)}
</main>
</body>
</html>
`
  return page.toString()
}

type Proof = { readonly code: string; readonly digest: string }

function both(zh: string, en: string): Markup {
  return html`${zh} <span class="en" lang="en">${en}</span>`
}

function heading({ iss, issuer }: Report, { code, digest }: Proof): Markup {
  // No address: nobody has to be asked.
  const qr = encodeQR(`xinqiao-report:${iss}:${code}:${digest}`, 'svg', { ecc: 'medium', border: 4 })
  return html`<header>
<div>
<p class="issuer">${both(issuer.name.zh, issuer.name.en)}</p>
<h1>公共信用信息跨市查询报告</h1>
<p class="en" lang="en">Cross-city report on public credit information</p>
<p class="stead">${both('代替有无违法违规证明', 'in place of a certificate of no violation')}</p>
</div>
<figure>
<div class="qr" role="img" aria-label="核验码 ${code}">${raw(qr)}</div>
<figcaption>${both('核验码', 'verification code')}<br><b>${code}</b></figcaption>
</figure>
</header>`
}

function about({ subject, purpose, matter, period, issuer, iat, exp }: Report, cityNames: Names): Markup {
  const [only, ...others] = subject.names
  const names =
    only === undefined
      ? both('未知：没有城市给出名称', 'unknown: no city gave a name')
      : others.length === 0
        ? html`${only.name}`
        : html`${subject.names.map(({ name, cities }) => html`<span class="row">${name}（${cities.map(city => cityNames.get(city)?.zh ?? city).join('、')}）</span>`)}`
  const doubt =
    subject.doubt && both('代码校验位不符，请以名称核对', 'the check character does not fit: compare the name')
  const rows: readonly (readonly [string, string, Markup])[] = [
    ['主体名称', 'Name', names],
    ['统一社会信用代码', 'Unified social credit code', html`<span class="code">${subject.code}</span> ${doubt}`],
    ['主体类别', 'Kind', both(subject.kind.zh, subject.kind.en)],
    ['查询目的', 'Purpose', both(purpose.zh, purpose.en)],
    ['查询事由', 'Matter', html`${matter}`],
    ['期间', 'Period', html`${period.from} 至 <span class="en" lang="en">to</span> ${period.to}`],
    ['申请部门', 'Department', html`${issuer.department.name}`],
    ['出具时间', 'Made at', html`${shanghai(iat)}（北京时间 <span class="en" lang="en">Asia/Shanghai</span>）`],
    ['有效至', 'Valid until', html`${shanghai(exp)}`],
  ]
  return html`<dl class="about">${rows.map(([zh, en, value]) => html`<div><dt>${both(zh, en)}</dt><dd>${value}</dd></div>`)}</dl>`
}

const outcomes = {
  own: ['本市，直接查询', 'issuing city, own records'],
  answered: ['已答复', 'answered'],
  refused: ['未受理', 'refused'],
  unknown: ['未知', 'unknown'],
  'not-asked': ['未查询', 'not asked'],
} as const

function citiesTable({ cities, families }: Report): Markup {
  const nameOf = new Map(families.map(({ code, zh }) => [code, zh]))
  const row = ({ name, outcome, reason, agreement, freshness, receipt }: Report['cities'][number]) => {
    const dayOf = (asOf: string | undefined) =>
      asOf === undefined ? '' : ` ${shanghai(Date.parse(asOf) / 1000).slice(0, 10)}`
    const groups = Map.groupBy(freshness, ({ status, asOf }) => status + dayOf(asOf))
    const ages = [...groups.values()].map(([first, ...same]) => {
      if (first === undefined) return html``
      const { zh, en } = freshnessWords[first.status]
      const of = [first, ...same].map(({ family }) => nameOf.get(family) ?? family).join('、')
      return html`<span class="row"><b class="${first.status}">${zh}</b> <span class="en" lang="en">${en.toLowerCase()}</span>${dayOf(first.asOf)}：${of}</span>`
    })
    const [zh, en] = outcomes[outcome]
    return html`<tr>
<th scope="row">${both(name.zh, name.en)}</th>
<td data-label="结果"><b class="${outcome}">${zh}</b> <span class="en" lang="en">${en}</span>${reason && html`<span class="row">${both(reason.zh, reason.en)}</span>`}</td>
<td data-label="数据时间">${ages.length === 0 ? '—' : ages}</td>
<td data-label="依据">${agreement === undefined ? '—' : both(agreement.title.zh, agreement.id)}${receipt && html`<span class="row">${both(`对方日志第 ${receipt.index} 条`, 'entry there')}</span>`}</td>
</tr>`
  }
  return html`<section>
<h2><span>${both('查询的城市', 'Cities asked')}</span></h2>
<table class="cities">
<thead><tr><th>${both('城市', 'City')}</th><th>${both('结果', 'Outcome')}</th><th>${both('数据时间', 'Freshness')}</th><th>${both('协议', 'Agreement')}</th></tr></thead>
<tbody>${cities.map(row)}</tbody>
</table>
</section>`
}

const numerals = ['一', '二', '三', '四', '五', '六', '七', '八', '九', '十']

type Names = ReadonlyMap<string, { readonly zh: string; readonly en: string }>
/** The rules by which records are kept back, numbered, so that each section can name them in a line. */
type Rules = readonly Note['rules'][number][]
type Context = { readonly report: Report; readonly names: Names; readonly rules: Rules }

function rulesIn({ sections }: Report): Rules {
  const all = sections.flatMap(({ notes }) => notes).filter(({ kind }) => kind === 'if-any')
  return [...new Map(all.flatMap(({ rules }) => rules).map(rule => [rule.code, rule])).values()]
}

function sectionOf(section: Section, i: number, { report, names, rules }: Context): Markup {
  const { zh, en, entries, notes, advice } = section
  const kept = notes.filter(({ kind }) => kind === 'if-any')
  const said = notes.filter(({ kind }) => kind !== 'if-any')
  return html`<section>
<h2><span>${numerals[i]}、${both(zh, en)}</span>${stateOf(section)}</h2>
${entries.length > 0 && entriesTable(entries, report, names)}
${advice && advice.length > 0 && html`<ol class="advice">${advice.map(each => html`<li>${each.zh} <span class="en" lang="en">${each.en}</span></li>`)}</ol>`}
${notes.length > 0 && html`<ul class="notes">${said.map(note => noteOf(note, names))}${kept.length > 0 && keptOf(kept, names, rules)}</ul>`}
</section>`
}

function keptOf(notes: readonly Note[], names: Names, all: Rules): Markup {
  const numbers = ({ rules }: Note) =>
    rules.map(({ code }) => all.findIndex(rule => rule.code === code) + 1).sort((a, b) => a - b)
  const said = notes.map(note => `${citiesIn(note, names)}：规则 ${numbers(note).join('、')}`).join('；')
  return html`<li><b>如有则不提供</b> <span class="en" lang="en">If any, not given, by the rules below</span> — ${said}。</li>`
}

function citiesIn({ cities }: Note, names: Names): string {
  return cities.map(city => names.get(city)?.zh ?? city).join('、')
}

/** How a section stands, in the words of a report: what is not complete never reads as none. */
function stateOf({ state, complete, entries, advice }: Section): Markup {
  if (state === 'none') {
    const [zh, en] = advice === undefined ? ['无记录', 'No record'] : ['无', 'None']
    return html`<span class="state none">${both(zh, en)}</span>`
  }
  if (state === 'unknown') return html`<span class="state unknown">${both('未知', 'Unknown')}</span>`
  const n = advice === undefined ? entries.length : advice.length
  const part = complete ? html`` : html`<span class="unknown"> · ${both('部分未知', 'partly unknown')}</span>`
  return html`<span class="state">${both(`${n} 条`, n === 1 ? '1 entry' : `${n} entries`)}${part}</span>`
}

function entriesTable(entries: readonly Entry[], { subject }: Report, names: Names): Markup {
  const single = subject.names.length === 1
  const row = (entry: Entry) => {
    const { city, department, date, title, masked, lines } = entry
    const name = names.get(city)
    const shown = lines.filter(
      ({ code, said }) => said !== title.zh && !(single && code === 'holder' && isSame(said, subject.names[0]?.name)),
    )
    return html`<tr>
<td data-label="日期" class="date">${date ?? html`<b class="unknown">未注明</b> <span class="en" lang="en">not stated</span>`}</td>
<td data-label="来源"><b>${name?.zh ?? city}</b> <span class="en" lang="en">${name?.en ?? ''}</span><span class="row">${department ?? both('部门未注明', 'department not stated')}</span></td>
<td data-label="内容">
<p class="title">${both(title.zh, title.en)}${marksOf(entry).map(([zh, en]) => html` <b class="mark">${zh} <span class="en" lang="en">${en}</span></b>`)}</p>
<dl>${shown.map(({ zh, en, said, saidEn }) => html`<div><dt>${both(zh, en)}</dt><dd>${said}${saidEn && html` <span class="en" lang="en">${saidEn}</span>`}</dd></div>`)}</dl>
${recognitionOf(entry)}
${masked && html`<p class="small">${both('个人号码已遮盖', 'personal numbers are masked')}</p>`}
</td>
</tr>`
  }
  return html`<table class="entries">
<thead><tr><th>${both('日期', 'Date')}</th><th>${both('来源城市、部门', 'City, department')}</th><th>${both('内容', 'Content')}</th></tr></thead>
<tbody>${entries.map(row)}</tbody>
</table>`
}

/** Whether two names are one but for full-width and half-width forms. */
function isSame(one: string, other = ''): boolean {
  return one.normalize('NFKC') === other.normalize('NFKC')
}

/** What a reader must not overlook about a record. */
function marksOf({ objection, notice, territorial }: Entry): (readonly [string, string])[] {
  return [
    ...(objection ? [['异议处理中', 'under objection'] as const] : []),
    ...(notice ? [['地方提示，不是名单', 'a local notice, no list'] as const] : []),
    ...(territorial ? [['仅在当地有效', 'holds in its own territory only'] as const] : []),
  ]
}

const recognitions = {
  recognised: ['本市认定为', 'recognised here as'],
  informational: ['仅供参考', 'for information only'],
  refused: ['本市不予认定，不得作为依据', 'not recognised here, not to be relied on'],
} as const

/** A rating that was recognised for its day, and of which its city does not tell the end. */
const endsUnknown = [
  '有效期至未知，今日是否仍有效不明',
  'its end is not known: whether it still holds today is not said',
] as const

function recognitionOf({ recognition }: Entry): Markup {
  if (recognition === undefined) return html``
  const { outcome, as = [], ambiguous, why, clause, endUnknown } = recognition
  const [zh, en] = recognitions[outcome]
  const words = as.length === 0 ? '' : as.map(each => each.zh).join(ambiguous ? ' 或 ' : '、')
  const wordsEn = as.length === 0 ? '' : as.map(each => each.en).join(ambiguous ? ' or ' : ', ')
  const because = [why?.zh, clause].filter(each => each !== undefined).join('；')
  return html`<p class="small"><b>${zh}${words}</b>${because === '' ? '' : `（${because}）`} <span class="en" lang="en">${en} ${wordsEn}${why && `: ${why.en}`}</span>${endUnknown && html` ${both(endsUnknown[0], endsUnknown[1])}`}</p>`
}

function noteOf(note: Note, names: Names): Markup {
  const { kind, about, rules } = note
  const [zh, en] = kind === 'unknown' ? ['未知', 'Unknown'] : ['不提供', 'Not given']
  const who = citiesIn(note, names)
  const what = about.length === 0 ? '' : `：${about.map(each => each.zh).join('、')}`
  const why = rules.map(rule => rule.zh).join('；')
  return html`<li><b class="${kind}">${zh}</b> <span class="en" lang="en">${en}</span> — ${who}${what}。${why}。<span class="en" lang="en">${rules.map(rule => rule.en).join(' ')}</span></li>`
}

function closing(report: Report, { code, digest }: Proof, rules: Rules): Markup {
  const rows: readonly (readonly [string, string, string])[] = [
    ['核验码', 'Verification code', code],
    ['报告摘要', 'Digest (SHA-256)', digest],
    ['报告编号', 'Report', report.jti],
  ]
  return html`<section class="closing">
<h2><span>${both('说明', 'Notes')}</span></h2>
<ol>${report.cautions.map(each => html`<li>${each.zh}<span class="row en" lang="en">${each.en}</span></li>`)}</ol>
${
  rules.length > 0 &&
  html`<p class="rules">${both('规则：下列记录如有，不予提供', 'Rules: records of these kinds are not given, if there are any')}</p>
<ol class="rules">${rules.map(rule => html`<li>${both(rule.zh, rule.en)}</li>`)}</ol>`
}
<dl class="proof">${rows.map(([zh, en, said]) => html`<div><dt>${both(zh, en)}</dt><dd class="code">${said}</dd></div>`)}</dl>
<p class="seal"><b>${report.issuer.name.zh}</b> <span class="en" lang="en">${report.issuer.name.en}</span><br>${shanghai(report.iat)}</p>
</section>`
}

/** The code has letters, digits and hyphens only, so it can stand in the foot of every printed page. */
function styleFor(code: string): string {
  return `
:root { --ink: #1b1f24; --soft: #5a6470; --line: #c9d0d8; --tint: #f3f6f9; --accent: #163f6b; --warn: #9a3412; }
* { box-sizing: border-box; margin: 0; padding: 0; }
html { -webkit-text-size-adjust: 100%; }
body { background: #e9edf1; color: var(--ink); font: 14px/1.6 "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "Noto Sans SC", sans-serif; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
main { max-width: 960px; margin: 24px auto; padding: 40px 48px; background: #fff; border-top: 6px solid var(--accent); box-shadow: 0 1px 6px rgb(0 0 0 / .12); }
header { display: flex; justify-content: space-between; align-items: flex-start; gap: 32px; padding-bottom: 20px; border-bottom: 2px solid var(--accent); }
h1 { font-size: 27px; line-height: 1.3; letter-spacing: .04em; color: var(--accent); }
.issuer { color: var(--soft); margin-bottom: 6px; }
.stead { margin-top: 10px; font-weight: 600; }
.stead .en { font-weight: 400; }
.en { color: var(--soft); font-size: .86em; font-family: "Helvetica Neue", Arial, "Liberation Sans", "Noto Sans", "Noto Sans CJK SC", sans-serif; }
figure { flex: none; text-align: center; font-size: 12px; }
.qr { width: 120px; margin: 0 auto 6px; }
.qr svg { display: block; width: 100%; height: auto; }
figcaption b { font: 600 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: nowrap; }
.about { display: grid; grid-template-columns: 1fr 1fr; gap: 0 32px; margin: 16px 0 8px; }
.about div { display: grid; grid-template-columns: 9.5em 1fr; gap: 12px; padding: 6px 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
.about div:first-child { grid-column: 1 / -1; } .about div:first-child dd { font-size: 1.1em; font-weight: 600; }
.about dt { color: var(--soft); line-height: 1.35; }
.about dt .en, th .en { display: block; font-size: 11px; font-weight: 400; }
dd, td, th { overflow-wrap: anywhere; }
.code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .95em; }
section { margin-top: 26px; }
h2 { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 4px 16px; padding: 6px 12px; background: var(--tint); border-left: 4px solid var(--accent); font-size: 16px; break-after: avoid; }
.state { font-size: 13px; font-weight: 600; white-space: nowrap; }
.unknown, .stale, .refused { color: var(--warn); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; margin-top: 8px; }
th, td { padding: 7px 10px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 1.5px solid var(--accent); font-size: 13px; line-height: 1.3; color: var(--accent); }
tbody th { font-weight: 600; }
tr { break-inside: avoid; }
thead { display: table-header-group; }
.cities th:nth-child(1) { width: 15%; } .cities th:nth-child(2) { width: 25%; } .cities th:nth-child(4) { width: 24%; }
.entries th:nth-child(1) { width: 7.6em; } .entries th:nth-child(2) { width: 24%; }
.entries dl div { display: grid; grid-template-columns: minmax(9em, 43%) 1fr; gap: 12px; padding: 1px 0; }
.entries dt { color: var(--soft); line-height: 1.45; }
.entries dt .en { font-size: 11px; }
.date { font-variant-numeric: tabular-nums; }
.title { font-weight: 600; margin-bottom: 2px; }
.title .en { font-weight: 400; }
.mark { color: var(--warn); font-weight: 600; }
.row { display: block; }
.small, .notes { color: #3f4852; font-size: 12px; line-height: 1.55; }
.notes { list-style: none; margin: 6px 12px 0; }
.notes li { padding: 2px 0; break-inside: avoid; }
.advice, .closing ol { margin: 8px 12px 0 2.2em; }
.advice li, .closing li { padding: 2px 0; break-inside: avoid; }
.closing ol { font-size: 13px; } .closing .rules { font-size: 12px; }
p.rules { margin: 12px 12px 0; font-weight: 600; } p.rules .en { font-weight: 400; }
.proof { margin: 18px 0 0; padding: 10px 12px; border: 1px solid var(--line); font-size: 13px; break-inside: avoid; }
.proof div { display: grid; grid-template-columns: 13em 1fr; gap: 12px; }
.proof dt { color: var(--soft); }
.seal { margin-top: 20px; text-align: right; break-inside: avoid; }
@media (max-width: 680px) {
  main { margin: 0; padding: 20px 16px; box-shadow: none; }
  header { flex-direction: column; gap: 16px; }
  h1 { font-size: 22px; }
  figure { align-self: center; }
  .about { grid-template-columns: 1fr; }
  .entries dl div, .proof div { grid-template-columns: 1fr; gap: 0; padding: 3px 0; }
  .about div { grid-template-columns: 8em 1fr; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, td, tbody th { display: block; width: auto; }
  tr { padding: 8px 0; border-bottom: 1px solid var(--line); }
  td, tbody th { padding: 2px 4px; border: 0; }
  td[data-label]::before { content: attr(data-label) "　"; color: var(--soft); font-size: 12px; }
}
@media print {
  body { background: #fff; font-size: 9.5pt; line-height: 1.5; }
  main { max-width: none; margin: 0; padding: 0; border: 0; box-shadow: none; }
  h1 { font-size: 18pt; } h2 { font-size: 11pt; padding: 3pt 8pt; } section { margin-top: 12pt; }
  .qr { width: 27mm; } figure, thead th, .state, .closing ol, .proof { font-size: 8.5pt; } .closing .rules { font-size: 8pt; }
  .small, .notes { font-size: 8pt; line-height: 1.4; } .about dt .en, th .en, .entries dt .en { font-size: 7.5pt; }
  th, td { padding: 3.5pt 6pt; } .about div { padding: 3pt 0; }
}
@page { size: A4; margin: 15mm 15mm 18mm;
  @bottom-left { content: "核验码 ${code}"; font: 8pt sans-serif; color: #5a6470; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #5a6470; } }
`
}
