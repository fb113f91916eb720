/** A look through the log as a file: recorded before its first byte, and read from the ledger no faster than it is taken. */
import { html } from 'hono/html'
import type { Entry } from '#ledger/entry.ts'
import type { Filter, Recorded } from '#ledger/ledger.ts'
import { refusals } from '#protocol/refusal.ts'
import { readSubject } from '#protocol/subject.ts'
import { BOM, csvLine } from './csv.ts'
import { BASE, type Visit } from './desk.ts'
import { field as fieldOf } from './form.ts'
import { type Markup, page, trouble } from './layout.ts'
import { addressOf, fields, filterOf, isUnusable, type Typed, typed, type Way } from './log-filter.ts'
import { cityName, clock, dayOf, departmentName, purposeName } from './shown.ts'
import { type Language, spoken } from './words.ts'

/** Entries that are in memory at a time. */
const STEP = 200

/** The form under a log page by which its entries are taken away; for who may see codes in full. */
export function exportForm(c: Visit, way: Way, asked: Typed): Markup {
  const t = words[c.get('language')]
  return html`<section class="sheet screen"><h2>${t.title}</h2><p class="soft">${t.what}</p>
<form method="post" action="${BASE}/${way}/export" class="does">
<input type="hidden" name="_csrf" value="${c.get('staff')?.csrf ?? ''}">
${Object.entries(asked).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<button class="button" name="format" value="csv">${t.csv}</button>
<button class="button" name="format" value="jsonl">${t.jsonl}</button>
</form></section>`
}

/** `POST /in/export`. */
export function exportInbound(c: Visit): Promise<Response> {
  return exported(c, 'in')
}

/** `POST /out/export`. */
export function exportOutbound(c: Visit): Promise<Response> {
  return exported(c, 'out')
}

async function exported(c: Visit, way: Way): Promise<Response> {
  const [desk, language, staff] = [c.get('desk'), c.get('language'), c.get('staff')]
  const form = new Map<string, string>()
  for (const name of [...fields, 'format']) form.set(name, await fieldOf(c, name))
  const asked = typed(name => form.get(name))
  const filter = filterOf(way, asked, staff)
  if (isUnusable(filter) || staff === undefined) {
    const t = words[language]
    return page(c, { title: t.title, status: 400 }, html`<h1>${t.title}</h1>${trouble(t.unusable, t.again)}`)
  }
  const subjects = filter.subject === undefined ? [] : lawful(filter.subject)
  const address = [`format=${form.get('format') === 'jsonl' ? 'jsonl' : 'csv'}`, addressOf(asked)].filter(
    each => each !== '',
  )
  await desk.staff.recorded(staff, 'exported', way === 'in' ? 'inbound' : 'outbound', {
    subjects,
    filter: address.join('&'),
  })
  return fileOf(c, { name: way === 'in' ? 'inbound' : 'outbound', format: form.get('format'), filter })
}

type Wanted = { readonly name: string; readonly format: string | undefined; readonly filter: Filter }

/** The file of all that fits the filter, as `csv` or, where `format` says so, as `jsonl`: the entries as they stand in the ledger. */
export function fileOf(c: Visit, { name, format, filter }: Wanted): Response {
  const isLines = format === 'jsonl'
  const { ledger, id, now } = c.get('desk').city
  const write = isLines ? asLine : (each: Recorded) => asRows(each, c)
  const parts = textOf(ledger, filter, isLines ? '' : BOM + csvLine(headings(c.get('language'))), write)
  c.header(
    'content-disposition',
    `attachment; filename="xinqiao-${id}-${name}-${dayOf(now())}.${isLines ? 'jsonl' : 'csv'}"`,
  )
  c.header('content-type', isLines ? 'application/jsonl; charset=utf-8' : 'text/csv; charset=utf-8')
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await parts.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await parts.return(undefined)
    },
  })
  return c.body(stream)
}

type Searched = Pick<Visit['var']['desk']['city']['ledger'], 'search'>

async function* textOf(ledger: Searched, filter: Filter, head: string, write: (each: Recorded) => string) {
  yield head
  for (let before: number | undefined, more = true; more; ) {
    const { entries, next } = await ledger.search(filter, { before, limit: STEP })
    yield entries.map(write).join('')
    before = next
    more = next !== undefined
  }
}

function lawful(subject: string): Extract<Entry, { kind: 'staff' }>['subjects'] {
  try {
    return [readSubject(subject).uscc]
  } catch {
    return []
  }
}

function asLine({ entry, receipt }: Recorded): string {
  return `${JSON.stringify({ index: receipt.index, link: receipt.link, entry })}\n`
}

const columns = [
  'index',
  'time',
  'way',
  'peer',
  'department',
  'purpose',
  'matter',
  'subject',
  'outcome',
  'code',
  'why',
  'fields',
  'agreement',
  'jti',
  'link',
] as const

function headings(language: Language): string[] {
  return columns.map(column => words[language][`c-${column}`])
}

/** A line for each subject: then a spreadsheet can count and sort by it. */
function asRows({ entry, receipt }: Recorded, c: Visit): string {
  const [language, { vocabulary }] = [c.get('language'), c.get('desk').city]
  const t = words[language]
  const subjects =
    'subjects' in entry && entry.subjects !== undefined && entry.subjects.length > 0 ? entry.subjects : ['']
  const code = 'code' in entry ? entry.code : undefined
  const left = (i: number) =>
    entry.kind !== 'answered'
      ? ''
      : Object.entries(entry.disclosed)
          .filter(([, { records }]) => (records[i] ?? 0) > 0)
          .map(([family, { fields }]) => {
            const known = vocabulary.families.get(family)
            const names = fields.map(field => known?.fields.get(field)?.[language] ?? field)
            return `${known?.[language] ?? family}: ${names.join(language === 'zh' ? '、' : ', ')}`
          })
          .join('; ')
  return subjects
    .map((subject, i) =>
      csvLine([
        String(receipt.index),
        clock(entry.at),
        entry.kind === 'answered' || entry.kind === 'refused' ? t.in : t.out,
        'peer' in entry ? (entry.peer === '*' ? '*' : cityName(entry.peer, c)) : '',
        'department' in entry ? departmentName(entry.department, c) : '',
        'purpose' in entry ? purposeName(entry.purpose, c) : '',
        'matter' in entry ? entry.matter : '',
        subject === 'refused' ? t.noCode : subject,
        outcomeWord(entry, i, language),
        code ?? '',
        code === undefined ? '' : refusals[code][language],
        left(i),
        'agreement' in entry ? entry.agreement.id : '',
        'jti' in entry ? entry.jti : '',
        receipt.link,
      ]),
    )
    .join('')
}

function outcomeWord(entry: Entry, i: number, language: Language): string {
  const t = words[language]
  if (entry.kind === 'answered') return t[entry.status[i] ?? 'unknown']
  if (entry.kind === 'outcome') return t[entry.outcome]
  if (entry.kind === 'asked') return t.sent
  return entry.kind === 'refused' || entry.kind === 'declined' || entry.kind === 'reported' ? t[entry.kind] : entry.kind
}

const words = spoken({
  title: { zh: '导出', en: 'Export' },
  what: {
    zh: '导出符合以上条件的全部记录。每次导出都记入日志。',
    en: 'All entries that fit the filter above. Every export is recorded in the ledger.',
  },
  csv: { zh: '导出 CSV（Excel）', en: 'CSV (Excel)' },
  jsonl: { zh: '导出 JSON Lines', en: 'JSON Lines' },
  unusable: { zh: '不能按这些条件导出', en: 'This filter cannot be used' },
  again: {
    zh: '请回到列表，重新选择条件后再导出。',
    en: 'Go back to the list, choose the filter anew, and export again.',
  },
  'c-index': { zh: '日志序号', en: 'Ledger index' },
  'c-time': { zh: '时间（北京时间）', en: 'Time (Asia/Shanghai)' },
  'c-way': { zh: '方向', en: 'Direction' },
  'c-peer': { zh: '城市', en: 'City' },
  'c-department': { zh: '本市部门', en: 'Our department' },
  'c-purpose': { zh: '目的', en: 'Purpose' },
  'c-matter': { zh: '事由', en: 'Matter' },
  'c-subject': { zh: '统一社会信用代码', en: 'Subject' },
  'c-outcome': { zh: '结果', en: 'Outcome' },
  'c-code': { zh: '原因代码', en: 'Reason code' },
  'c-why': { zh: '原因', en: 'Reason' },
  'c-fields': { zh: '提供的字段', en: 'Fields given' },
  'c-agreement': { zh: '协议', en: 'Agreement' },
  'c-jti': { zh: '报文编号', en: 'Message' },
  'c-link': { zh: '链值', en: 'Link' },
  in: { zh: '收到', en: 'in' },
  out: { zh: '发出', en: 'out' },
  noCode: { zh: '代码无效（未保存）', en: 'invalid code (not kept)' },
  answered: { zh: '已答复', en: 'answered' },
  unknown: { zh: '未知', en: 'unknown' },
  stale: { zh: '已答复（数据过期）', en: 'answered (stale)' },
  refused: { zh: '未受理', en: 'refused' },
  declined: { zh: '本市未发出', en: 'not sent' },
  reported: { zh: '已出具报告', en: 'report made' },
  sent: { zh: '已发出', en: 'sent' },
})
