/** Everything that was asked about one enterprise: who, when, why and which fields went; for the auditor, and on paper for the enterprise itself. */
import { html } from 'hono/html'
import type { Recorded } from '#ledger/ledger.ts'
import { Refusal } from '#protocol/refusal.ts'
import { readSubject, type Uscc } from '#protocol/subject.ts'
import { deedOf } from './deed.ts'
import { BASE, type Visit } from './desk.ts'
import { fileOf } from './export.ts'
import { field } from './form.ts'
import { empty, type Markup, page, stylePath, trouble } from './layout.ts'
import { outcomeCell, outcomeFor, whyOf } from './log.ts'
import { cityName, clock, dayOf, departmentName, purposeName, timeOf } from './shown.ts'
import { words as shared, spoken } from './words.ts'

/** Entries on a page or a sheet; an enterprise with more is exported. */
const MOST = 500
const inbound = ['answered', 'refused'] as const
const ours = ['outcome', 'declined', 'reported'] as const

/** `GET /enterprise`, with `?code=` for one. For auditors. */
export async function enterprisePage(c: Visit): Promise<Response> {
  const [language, staff] = [c.get('language'), c.get('staff')]
  const t = words[language]
  const text = c.req.query('code')?.trim() ?? ''
  const head = html`<h1>${t.title}</h1><p class="lead">${t.lead}</p>
<form class="filter sheet" method="get" action="${BASE}/enterprise" role="search">
<label>${t.code}<input name="code" value="${text}" maxlength="18" required autocapitalize="characters" spellcheck="false" class="code"></label>
<div class="does"><button class="button first">${shared[language].show}</button></div></form>`
  const frame = { title: t.title, active: 'enterprise' } as const
  if (text === '') return page(c, frame, html`${head}${empty(t.noneYet, t.noneYetWhy)}`)
  const read = codeIn(text)
  if (typeof read !== 'string') {
    return page(c, { ...frame, status: 400 }, html`${head}${trouble(t.notACode, read.public[language])}`)
  }
  const found = await find(c, read)
  if (staff !== undefined) await c.get('desk').staff.recorded(staff, 'viewed', 'enterprise', seen(read, found))
  const body = html`${head}
<div class="head"><h2><span class="code">${read}</span></h2></div>
${section(t.others, t.othersWhat, found.inbound, t.nobody, c, read)}
${section(t.own, t.ownWhat, found.ours, t.noneOfUs, c, read)}
${section(t.looked, t.lookedWhat, found.staff, t.nobodyLooked, c, read)}
<div class="does"><a class="button first" href="${BASE}/enterprise/print?code=${read}">${t.print}</a>
<form method="post" action="${BASE}/enterprise/export" class="does"><input type="hidden" name="_csrf" value="${staff?.csrf ?? ''}"><input type="hidden" name="code" value="${read}">
<button class="button" name="format" value="csv">${t.csv}</button><button class="button" name="format" value="jsonl">${t.jsonl}</button></form></div>`
  return page(c, frame, body)
}

/** `POST /enterprise/export`: all that was asked about one, as a file. For auditors. */
export async function exportEnterprise(c: Visit): Promise<Response> {
  const staff = c.get('staff')
  const t = words[c.get('language')]
  const read = codeIn(await field(c, 'code'))
  if (typeof read !== 'string' || staff === undefined) {
    return page(c, { title: t.title, status: 400 }, html`<h1>${t.title}</h1>${trouble(t.notACode, t.noneYetWhy)}`)
  }
  const format = await field(c, 'format')
  await c.get('desk').staff.recorded(staff, 'exported', 'enterprise', {
    subjects: [read],
    filter: `format=${format === 'jsonl' ? 'jsonl' : 'csv'}`,
  })
  return fileOf(c, { name: 'enterprise', format, filter: { subject: read, kinds: [...inbound, ...ours] } })
}

type Found = Readonly<
  Record<'inbound' | 'ours' | 'staff', { readonly entries: readonly Recorded[]; readonly more: boolean }>
>

async function find(c: Visit, subject: Uscc): Promise<Found> {
  const { ledger } = c.get('desk').city
  const all = async (kinds: readonly Recorded['entry']['kind'][]) => {
    const entries: Recorded[] = []
    let before: number | undefined
    do {
      const found = await ledger.search({ subject, kinds }, { before, limit: MOST - entries.length })
      entries.push(...found.entries)
      before = found.next
    } while (before !== undefined && entries.length < MOST)
    return { entries, more: before !== undefined }
  }
  const [came, went, staff] = await Promise.all([all(inbound), all(ours), all(['staff'])])
  return { inbound: came, ours: went, staff }
}

function seen(subject: Uscc, { inbound, ours }: Found) {
  const entries = [...inbound.entries, ...ours.entries].map(({ receipt }) => receipt.index)
  return { subjects: [subject], entries: entries.slice(0, 1000) }
}

function codeIn(text: string): Uscc | Refusal {
  try {
    return readSubject(text).uscc
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

/** The families of which something left about this subject, with the fields by name. */
function fieldsLeft({ entry }: Recorded, subject: Uscc, c: Visit): readonly string[] {
  if (entry.kind !== 'answered') return []
  const language = c.get('language')
  const { families } = c.get('desk').city.vocabulary
  const at = entry.subjects.indexOf(subject)
  return Object.entries(entry.disclosed).flatMap(([family, { fields, records }]) => {
    const n = records[at] ?? 0
    if (n === 0) return []
    const known = families.get(family)
    const names = fields.map(field => known?.fields.get(field)?.[language] ?? field)
    return [words[language].given(known?.[language] ?? family, n, names.join(language === 'zh' ? '、' : ', '))]
  })
}

function section(
  title: string,
  what: string,
  { entries, more }: Found['ours'],
  none: string,
  c: Visit,
  subject: Uscc,
): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const heading = html`<h2>${title} <span class="soft small">${t.times(entries.length, more)}</span></h2>`
  if (entries.length === 0) return html`<section class="sheet">${heading}${empty(none, what)}</section>`
  const isStaff = entries[0]?.entry.kind === 'staff'
  const row = (each: Recorded) => {
    const { entry, receipt } = each
    const at = html`<td data-label="${s.time}" class="nowrap"><a href="${BASE}/entry/${receipt.index}">${timeOf(entry.at)}</a></td>`
    if (entry.kind === 'staff') {
      return html`<tr>${at}<td data-label="${t.person}" class="nowrap">${entry.staff}</td><td data-label="${t.did}">${deedOf(entry, language)}</td></tr>`
    }
    const left = fieldsLeft(each, subject, c)
    return html`<tr>${at}<td data-label="${t.who}" class="nowrap">${whoOf(each, c)}</td>
<td data-label="${s.purpose}" class="nowrap">${'purpose' in entry ? purposeName(entry.purpose, c) : '—'}</td>
<td data-label="${s.matter}" class="text">${'matter' in entry ? entry.matter : '—'}</td>
<td data-label="${s.outcome}">${outcomeCell(entry, language, subject)}${left.map(each => html`<span class="row small">${each}</span>`)}</td></tr>`
  }
  return html`<section class="sheet">${heading}<p class="soft">${what}</p>
<table class="stacked"><thead><tr><th scope="col">${s.time}</th><th scope="col">${isStaff ? t.person : t.who}</th>${isStaff ? html`<th scope="col">${t.did}</th>` : html`<th scope="col">${s.purpose}</th><th scope="col">${s.matter}</th><th scope="col">${s.outcome}</th>`}</tr></thead>
<tbody>${entries.map(row)}</tbody></table>${more && html`<p class="soft small">${t.moreThan}</p>`}</section>`
}

function whoOf({ entry }: Recorded, c: Visit): string {
  const t = words[c.get('language')]
  if (entry.kind === 'reported') return departmentName(entry.department, c)
  const peer = 'peer' in entry ? (entry.peer === '*' ? t.allCities : cityName(entry.peer, c)) : '—'
  return 'department' in entry ? t.fromTo(departmentName(entry.department, c), peer) : peer
}

/**
 * `GET /enterprise/print?code=`: the sheet that a counter clerk hands over, in Chinese whatever the language of the clerk; only
 * what is said to the clerk, and not printed, is in theirs.
 * It says who asked and what went, and nothing of our own staff. For auditors.
 */
export async function enterpriseSheet(c: Visit): Promise<Response> {
  const staff = c.get('staff')
  const { city, staff: staffing } = c.get('desk')
  const language = c.get('language')
  c.set('language', 'zh')
  const [t, s, clerk] = [words.zh, shared.zh, words[language]]
  const read = codeIn(c.req.query('code') ?? '')
  if (typeof read !== 'string' || staff === undefined) {
    return page(c, { title: t.title, active: 'enterprise', status: 400 }, trouble(t.notACode, t.noneYetWhy))
  }
  const found = await find(c, read)
  await staffing.recorded(staff, 'viewed', 'enterprise-sheet', seen(read, found))
  const us = cityName(city.id, c)
  const row = (each: Recorded, who: string) => {
    const { entry } = each
    const left = fieldsLeft(each, read, c)
    const why = whyOf(entry, 'zh')
    return html`<tr><td data-label="${s.time}" class="tabular nowrap">${clock(entry.at).slice(0, 16)}</td><td data-label="${who}">${whoOf(each, c)}</td>
<td data-label="${s.purpose}" class="nowrap">${'purpose' in entry ? purposeName(entry.purpose, c) : '—'}</td><td data-label="${s.matter}" class="text">${'matter' in entry ? entry.matter : '—'}</td>
<td data-label="${t.result}">${outcomeFor(entry, read, 'zh').said}${why !== undefined && html`（${why}）`}${left.map(line => html`<span class="row small">${line}</span>`)}</td></tr>`
  }
  const table = (title: string, { entries, more }: Found['ours'], who: string, none: string) => html`<h2>${title}</h2>
${
  entries.length === 0
    ? html`<p>${none}</p>`
    : html`<table class="stacked"><thead><tr><th scope="col">${s.time}</th><th scope="col">${who}</th><th scope="col">${s.purpose}</th><th scope="col">${s.matter}</th><th scope="col">${t.result}</th></tr></thead><tbody>${entries.map(each => row(each, who))}</tbody></table>${more && html`<p class="small">${t.moreThan}</p>`}`
}`
  const document = await html`<!doctype html>
<html lang="zh-CN">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light">
<title>${t.sheet} · ${us}</title><link rel="stylesheet" href="${BASE}${stylePath}"><link rel="icon" href="${BASE}/icon.svg" type="image/svg+xml"></head>
<body class="paper"><main id="content">
<p class="turn" lang="${language === 'zh' ? 'zh-CN' : 'en'}"><a href="${BASE}/enterprise?code=${read}">${clerk.back}</a><span class="soft">${clerk.howToPrint}</span></p>
<h1>${t.sheet}</h1>
<dl class="facts"><div><dt>${t.code}</dt><dd class="code">${read}</dd></div><div><dt>${t.by}</dt><dd>${us}（${s.product}${t.gateway}）</dd></div><div><dt>${t.on}</dt><dd class="tabular">${clock(city.now()).slice(0, 16)}</dd></div></dl>
${table(t.others, found.inbound, t.askingCity, t.nobody)}
${table(t.own, found.ours, t.department, t.noneOfUs)}
<h2>${t.notes}</h2>
<ol class="notes"><li>${t.note1}</li><li>${t.note2}</li><li>${t.note3}</li></ol>
<p class="seal">${us}<br>${dayOf(city.now())}<br>${t.sealHere}</p>
</main></body></html>
`
  return c.html(document)
}

const words = spoken({
  title: { zh: '一户企业', en: 'One enterprise' },
  lead: {
    zh: '谁查询过这户企业、何时、为何、提供了哪些字段。每次查看都记入日志。',
    en: 'Who asked about an enterprise, when, why, and which fields went. Every look is recorded in the ledger.',
  },
  code: { zh: '统一社会信用代码', en: 'Unified social credit code' },
  noneYet: { zh: '请输入代码', en: 'Enter a code' },
  noneYetWhy: {
    zh: '输入 18 位统一社会信用代码后，这里显示关于该企业的全部查询。',
    en: 'With the 18 characters of a unified social credit code, all that was asked about the enterprise appears here.',
  },
  notACode: { zh: '代码不能使用', en: 'The code cannot be used' },
  others: { zh: '其他城市的查询', en: 'Other cities’ questions' },
  othersWhat: {
    zh: '其他城市依据协议向本市提出的、涉及该企业的查询。',
    en: 'What other cities asked us about the enterprise, under their agreements.',
  },
  nobody: { zh: '没有其他城市查询过该企业', en: 'No other city asked about it' },
  own: { zh: '本市部门的查询', en: 'Our departments’ questions' },
  ownWhat: {
    zh: '本市部门就该企业向其他城市提出的查询和出具的报告。',
    en: 'What our departments asked other cities about it, and reports that were made.',
  },
  noneOfUs: { zh: '本市部门没有查询过该企业', en: 'No department of ours asked about it' },
  looked: { zh: '本市人员查看记录', en: 'Who of our staff looked' },
  lookedWhat: {
    zh: '在本工作台查看、导出过该企业记录的人员。',
    en: 'Who of our staff saw or exported entries about it in this console.',
  },
  nobodyLooked: { zh: '尚无人员查看', en: 'Nobody has looked yet' },
  times: (n: number, more: boolean) => ({
    zh: `${n}${more ? ' 次以上' : ' 次'}`,
    en: `${more ? 'more than ' : ''}${n}`,
  }),
  moreThan: { zh: `只列出最近 ${MOST} 次，全部见导出文件。`, en: `The newest ${MOST}; an export has them all.` },
  who: { zh: '查询方', en: 'Who' },
  person: { zh: '人员', en: 'Who' },
  did: { zh: '操作', en: 'Did what' },
  allCities: { zh: '所有城市', en: 'all cities' },
  fromTo: (department: string, peer: string) => ({ zh: `${department} → ${peer}`, en: `${department} → ${peer}` }),
  given: (family: string, n: number, fields: string) => ({
    zh: `${family} ${n} 条：${fields}`,
    en: `${family}, ${n}: ${fields}`,
  }),
  print: { zh: '打印给企业', en: 'Print for the enterprise' },
  csv: { zh: '导出 CSV（Excel）', en: 'CSV (Excel)' },
  jsonl: { zh: '导出 JSON Lines', en: 'JSON Lines' },
  sheet: { zh: '公共信用信息跨市查询记录单', en: 'Record of questions between cities' },
  back: { zh: '← 返回', en: '← Back' },
  howToPrint: {
    zh: '用浏览器的“打印”打印本页（A4）。',
    en: 'The sheet is handed over in Chinese. Print this page with the browser (A4).',
  },
  by: { zh: '出具单位', en: 'Issued by' },
  gateway: { zh: '信用网关', en: ' credit gateway' },
  on: { zh: '出具时间', en: 'Issued at' },
  askingCity: { zh: '查询城市', en: 'Asking city' },
  department: { zh: '部门及被查询城市', en: 'Department, city asked' },
  result: { zh: '结果及提供的字段', en: 'Outcome and fields given' },
  notes: { zh: '说明', en: 'Notes' },
  note1: {
    zh: '本单列出经本市信用网关进行的、涉及上述主体的查询；不包括其他渠道的查询。',
    en: 'What went through this city’s credit gateway, and nothing besides.',
  },
  note2: {
    zh: '“提供的字段”只列字段名称。所提供的内容以相应公共信用信息为准，可向本市申请查询。',
    en: 'Fields are named; what they held can be asked for here.',
  },
  note3: {
    zh: '认为查询不当或信息有误的，可向本市信用主管部门提出异议。',
    en: 'Objections go to this city’s credit authority.',
  },
  sealHere: { zh: '（盖章）', en: '(seal)' },
})
