/** Our column, the shared field and each other city's column stand side by side, and beside them what the translation loses. */
import { html } from 'hono/html'
import type { CodeListReport, WordReport } from '#schema/code-report.ts'
import type { FamilyReport, FieldReport, Loss, TableReport, TranslationReport } from '#schema/report.ts'
import { BASE, type Visit } from './desk.ts'
import { empty, type Markup, page, trouble } from './layout.ts'
import { type Reported, reportsIn } from './mappings.ts'
import { cityName, countOf } from './shown.ts'
import { type Language, words as shared, spoken } from './words.ts'

/** `GET /mappings?family=`: one family side by side, and our translation report. */
export function mappingsPage(c: Visit): Promise<Response> {
  const [{ city, config }, language] = [c.get('desk'), c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const all = reportsIn(config, city.vocabulary)
  const ours = all.find(each => each.city === city.id)
  if (ours?.report === undefined) {
    const body = html`<h1>${s.mappings}</h1>${trouble(t.unread, t.unreadWhy)}`
    return page(c, { title: s.mappings, active: 'mappings', status: 500 }, body)
  }
  const { report } = ours
  const family = report.families.find(each => each.family === c.req.query('family')) ?? report.families[0]
  const others = all.filter(each => each.city !== city.id)
  const body = html`<div class="head"><h1>${s.mappings}</h1></div>
<p class="lead">${t.lead}</p>
${ours.faults.length > 0 && trouble(t.differs, t.differsWhy(ours.faults.length))}
${about(report, language)}
<form class="filter" method="get" action="${BASE}/mappings#family"><label>${t.family}<select name="family">${report.families.map(
    each =>
      html`<option value="${each.family}"${each === family ? html` selected` : ''}>${each[language]}${each.tables.length === 0 ? t.withoutTable : ''}</option>`,
  )}</select></label><div class="does"><button class="button">${s.show}</button></div></form>
${family && sideBySide(family, report, others, c)}
${family && tablesOf(family, report, language)}
${family && codesOf(family, report, language)}`
  return page(c, { title: s.mappings, active: 'mappings' }, body)
}

function about({ version, source, assumed, note, summary }: TranslationReport, language: Language): Markup {
  const t = words[language]
  const n = (count: number) => countOf(count, language)
  const { fields, columns, words: said, codes } = summary
  return html`${assumed && html`<div class="told"><p><b>${t.assumed}</b> ${t.assumedWhy}</p></div>`}
<dl class="figures">
<div><dt>${t.fields}</dt><dd>${n(fields.covered)}</dd><dd class="row">${t.fieldsOf(n(fields.lossy), n(fields.dropped))}</dd></div>
<div><dt>${t.columns}</dt><dd>${n(columns.read)}</dd><dd class="row">${t.columnsOf(n(columns.dropped))}</dd></div>
<div><dt>${t.wordsOut}</dt><dd>${n(said.exact)}</dd><dd class="row">${t.wordsOf(n(said.lossy), n(said.untranslated))}</dd></div>
<div><dt>${t.codesIn}</dt><dd>${n(codes.exact)}</dd><dd class="row">${t.codesInOf(n(codes.approximate), n(codes.unsaid))}</dd></div>
</dl>
<p class="soft small">${t.mapping} ${version} · ${t.source} ${source}${isFor(note, language) && html` · ${note}`}</p>`
}

/** A note is written in one language, and nobody is shown what is not in theirs. */
function isFor(note: string | undefined, language: Language): boolean {
  return note !== undefined && (language === 'en' || /\p{Script=Han}/u.test(note))
}

const hues = { covered: 'good', lossy: 'warn', dropped: 'bad' } as const

function sideBySide(family: FamilyReport, report: TranslationReport, others: readonly Reported[], c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const shownOf = { all: t.shownAll, some: t.shownSome, none: t.shownNone }[family.shown]
  const peers = others.map(({ city, report: theirs, faults }) => ({
    // A city may have left the federation, and its mapping still lie here.
    name: c.get('desk').city.members.find(city) === undefined ? (theirs?.[language] ?? city) : cityName(city, c),
    report: theirs,
    family: theirs?.families.find(each => each.family === family.family),
    faults,
  }))
  const unread = peers.filter(({ report: theirs, faults }) => theirs === undefined || faults.length > 0)
  const row = (field: FieldReport) => html`<tr>
<th scope="row">${field[language]} <span class="row small soft"><code>${field.field}</code>${field.required && html` · ${t.required}`}</span></th>
<td data-label="${t.ours}">${columnsOf(field, report, language)} <span class="tag ${hues[field.outcome]}">${t[field.outcome]}</span></td>
${peers.map(({ name, report: theirs, family: of }) => {
  const same = of?.fields.find(each => each.field === field.field)
  return html`<td data-label="${name}">${theirs === undefined || same === undefined ? '—' : columnsOf(same, theirs, language)}</td>`
})}</tr>`
  const lossy = family.fields.filter(({ losses, absent }) => losses.length > 0 || absent.length > 0)
  return html`<section class="sheet" id="family"><h2>${family[language]}</h2>
<p class="soft">${shownOf}${family.unshown !== undefined && html`${t.colon}${family.unshown}`}</p>
${unread.map(({ name, faults }) =>
  trouble(
    t.theirFaults(name),
    faults
      .slice(0, 3)
      .map(({ path, problem }) => `${path}: ${problem}`)
      .join('; '),
  ),
)}
<div class="wide" tabindex="0" role="region" aria-label="${family[language]}"><table class="stacked">
<thead><tr><th scope="col">${t.sharedField}</th><th scope="col">${t.ours}</th>${peers.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${family.fields.map(row)}</tbody></table></div>
<h3>${t.losses}</h3>
${lossy.length === 0 ? html`<p class="soft">${t.noLosses}</p>` : html`<dl class="facts">${lossy.map(field => lossesOf(field, language))}</dl>`}
</section>`
}

/** From which columns a city fills a field, or why not. */
function columnsOf({ from, absent }: FieldReport, { tables }: TranslationReport, language: Language): Markup {
  const t = words[language]
  if (from.length === 0) {
    const [first] = absent
    return html`<span class="soft">${t.notKept}${first !== undefined && first.reason !== words.zh.notKept && html`${t.colon}${first.reason}`}</span>`
  }
  return html`${from.map(({ table, columns, constant, assumed }) => {
    const labels = tables.find(each => each.table === table)?.columns ?? []
    const named = columns.map(column => ({ column, zh: labels.find(each => each.column === column)?.zh ?? '' }))
    return html`${constant === undefined ? named.map(({ column, zh }) => html`<span class="row">${zh} <code>${column}</code></span>`) : html`<span class="row">${t.always(constant)}</span>`}<span class="row soft small">${table}${assumed && html` · ${t.supposed}`}</span>`
  })}`
}

function lossesOf(field: FieldReport, language: Language): Markup {
  const t = words[language]
  const { losses, absent } = field
  return html`<div><dt>${field[language]}</dt><dd>
${absent.map(({ table, reason }) => html`<span class="row"><b>${table}</b> ${t.absent}${t.colon}${reason}</span>`)}
${losses.map(loss => lossOf(loss, language))}</dd></div>`
}

/** Lost words that are written out; the rest is folded away. */
const FEW = 6

function lossOf({ tables, direction, words: lost, ...said }: Loss, language: Language): Markup {
  const t = words[language]
  const row = ({ word, relation, means }: Loss['words'][number]) =>
    html`<li>${word === '' ? t.noWord : word} <span class="soft">${t[relation]}</span> ${means.join(t.comma)}</li>`
  return html`<span class="row"><b>${direction === 'out' ? t.goesOut : t.comesIn}</b> ${said[language]} <span class="soft small">${tables.join(t.comma)}</span></span>
${lost.length > 0 && html`<ul>${lost.slice(0, FEW).map(row)}</ul>`}
${lost.length > FEW && html`<details><summary>${t.more(countOf(lost.length - FEW, language))}</summary><ul>${lost.slice(FEW).map(row)}</ul></details>`}`
}

function tablesOf({ family, tables }: FamilyReport, report: TranslationReport, language: Language): Markup {
  const t = words[language]
  const ours = report.tables.filter(each => each.family === family)
  if (tables.length === 0)
    return html`<section class="sheet"><h2>${t.tables}</h2>${empty(t.noTable, t.noTableWhy)}</section>`
  return html`<section class="sheet"><h2>${t.tables}</h2>${ours.map(table => tableOf(table, language))}</section>`
}

function tableOf(
  { table, database, source, zh, assumed, note, columns, dropped }: TableReport,
  language: Language,
): Markup {
  const t = words[language]
  return html`<h3>${zh} <code>${database}</code>${assumed && html` <span class="tag warn">${t.supposed}</span>`}</h3>
<p class="soft small">${t.database} ${source}${database !== table && html` · ${table}`}${isFor(note, language) && html` · ${note}`}</p>
<details><summary>${t.readColumns(countOf(columns.length, language))}</summary><table class="stacked">
<thead><tr><th scope="col">${t.column}</th><th scope="col">${t.fills}</th><th scope="col">${t.decides}</th></tr></thead>
<tbody>${columns.map(each => html`<tr><th scope="row">${each.zh} <code>${each.column}</code></th><td data-label="${t.fills}">${each.fields.length === 0 ? '—' : each.fields.join(t.comma)}</td><td data-label="${t.decides}">${each.decides.length === 0 ? '—' : each.decides.map(decision => t[decision]).join(t.comma)}</td></tr>`)}</tbody></table></details>
${
  dropped.length > 0 &&
  html`<details><summary>${t.droppedColumns(countOf(dropped.length, language))}</summary><dl class="facts">${dropped.map(({ column, reason }) => html`<div><dt><code>${column}</code></dt><dd>${reason}</dd></div>`)}</dl></details>`
}`
}

function codesOf({ family }: FamilyReport, report: TranslationReport, language: Language): Markup | '' {
  const t = words[language]
  const tables = new Set(report.tables.filter(each => each.family === family).map(({ table }) => table))
  const used = report.codes.filter(({ usedBy }) =>
    usedBy.some(each => tables.has(each.slice(0, each.lastIndexOf('.')))),
  )
  if (used.length === 0) return ''
  return html`<section class="sheet"><h2>${t.codeLists}</h2><p class="soft">${t.codeListsWhat}</p>${used.map(list => codeList(list, language))}</section>`
}

const outcomeHues = {
  exact: 'good',
  narrower: 'warn',
  several: 'warn',
  ambiguous: 'warn',
  untranslated: 'bad',
} as const

function codeList({ list, zh, source, assumed, out }: CodeListReport, language: Language): Markup {
  const t = words[language]
  const row = ({ words: spellings, relation, outcome, codes, validFrom, validTo, reason }: WordReport) => html`<tr>
<th scope="row">${spellings.map(word => (word === '' ? t.noWord : word)).join(t.comma)}</th>
<td data-label="${t.stands}"><span class="tag ${outcomeHues[outcome]}">${t[relation]}</span></td>
<td data-label="${t.meansHere}">${codes.map(code => html`<span class="row">${code[language]} <code>${code.code}</code></span>`)}${reason !== undefined && html`<span class="row soft">${reason}</span>`}</td>
<td data-label="${t.validity}" class="nowrap">${validFrom ?? '…'} – ${validTo ?? '…'}</td></tr>`
  return html`<details><summary>${zh} <code>${list}</code>${assumed && html` · ${t.supposed}`}</summary><p class="soft small">${t.source} ${source}</p>
<table class="stacked"><thead><tr><th scope="col">${t.ourWord}</th><th scope="col">${t.stands}</th><th scope="col">${t.meansHere}</th><th scope="col">${t.validity}</th></tr></thead><tbody>${out.map(row)}</tbody></table></details>`
}

const words = spoken({
  lead: {
    zh: '本市的列、共享字段与各城市的列并列对照；转换中有损失的，逐项列明原因。含义不确定的，不作推测。',
    en: 'Our column, the shared field and each city’s column side by side; what the translation loses is listed with its reason. No meaning is guessed.',
  },
  unread: { zh: '本市映射无法读取', en: 'Our mapping cannot be read' },
  unreadWhy: { zh: '运行 xinqiao check 查看原因。', en: '`xinqiao check` says why.' },
  differs: { zh: '配置目录中的本市映射有误', en: 'Our mapping in the folder has faults' },
  differsWhy: (n: number) => ({
    zh: `共 ${n} 处；网关仍按启动时的映射运行。运行 xinqiao check 查看。`,
    en: `${n} of them; the gateway goes on with the one it began with. \`xinqiao check\` names them.`,
  }),
  assumed: { zh: '映射为推定。', en: 'A supposed mapping.' },
  assumedWhy: {
    zh: '本市尚未公布数据表结构，请与实际数据表核对。',
    en: 'The city’s tables were not known to who wrote it: compare it with them.',
  },
  family: { zh: '信息类别', en: 'Family' },
  withoutTable: { zh: '（本市无表）', en: ' (no table of ours)' },
  fields: { zh: '完整对应的字段', en: 'Fields in full' },
  fieldsOf: (lossy: string, dropped: string) => ({
    zh: `有损 ${lossy}，缺失 ${dropped}`,
    en: `${lossy} in part, ${dropped} missing`,
  }),
  columns: { zh: '读取的列', en: 'Columns read' },
  columnsOf: (dropped: string) => ({ zh: `不接入 ${dropped}`, en: `${dropped} left where they are` }),
  wordsOut: { zh: '含义一致的本市用语', en: 'Our words, exact' },
  wordsOf: (lossy: string, untranslated: string) => ({
    zh: `有损 ${lossy}，不转换 ${untranslated}`,
    en: `${lossy} in part, ${untranslated} untranslated`,
  }),
  codesIn: { zh: '一致的共享代码', en: 'Shared codes, exact' },
  codesInOf: (approximate: string, unsaid: string) => ({
    zh: `近似 ${approximate}，无词 ${unsaid}`,
    en: `${approximate} approximate, ${unsaid} without a word`,
  }),
  mapping: { zh: '映射版本', en: 'Mapping' },
  source: { zh: '依据', en: 'Source:' },
  sharedField: { zh: '共享字段', en: 'Shared field' },
  ours: { zh: '本市', en: 'Ours' },
  required: { zh: '必备', en: 'required' },
  covered: { zh: '完整', en: 'In full' },
  lossy: { zh: '有损', en: 'In part' },
  dropped: { zh: '缺失', en: 'Missing' },
  notKept: { zh: '无此列', en: 'no such column' },
  always: (value: string) => ({ zh: `每行都是“${value}”`, en: `always “${value}”` }),
  supposed: { zh: '推定', en: 'supposed' },
  shownAll: { zh: '外市记录全部显示在本市数据表', en: 'All records of other cities are shown in tables of ours' },
  shownSome: { zh: '外市记录部分显示在本市数据表', en: 'Some records of other cities are shown in tables of ours' },
  shownNone: { zh: '外市记录无表可显示', en: 'Records of other cities are shown in no table of ours' },
  theirFaults: (name: string) => ({
    zh: `${name}的映射文件有误，所示可能不准`,
    en: `The mapping file of ${name} has faults; what is shown of it may be wrong`,
  }),
  losses: { zh: '转换损失', en: 'What is lost' },
  noLosses: { zh: '没有损失。', en: 'Nothing is lost.' },
  absent: { zh: '没有此字段', en: 'does not have it' },
  goesOut: { zh: '转出', en: 'out' },
  comesIn: { zh: '转入', en: 'in' },
  noWord: { zh: '（空）', en: '(none)' },
  more: (n: string) => ({ zh: `另有 ${n} 项`, en: `${n} more` }),
  exact: { zh: '一致', en: 'exact' },
  narrower: { zh: '更窄', en: 'narrower' },
  broader: { zh: '更宽', en: 'broader' },
  overlapping: { zh: '部分重叠', en: 'overlapping' },
  none: { zh: '无对应', en: 'none' },
  tables: { zh: '本市数据表', en: 'Our tables' },
  noTable: { zh: '本市没有此类数据表', en: 'We keep no such records' },
  noTableWhy: {
    zh: '其他城市查询此类信息时，答复为“未知”，不是“无记录”。',
    en: 'Who asks us for them is told that nothing is known, not that there is nothing.',
  },
  database: { zh: '数据库', en: 'Database' },
  readColumns: (n: string) => ({ zh: `读取 ${n} 列`, en: `${n} columns read` }),
  droppedColumns: (n: string) => ({
    zh: `不接入 ${n} 列及原因`,
    en: `${n} columns left where they are, with the reason`,
  }),
  column: { zh: '列', en: 'Column' },
  fills: { zh: '填入', en: 'Fills' },
  decides: { zh: '用于判断', en: 'Decides' },
  key: { zh: '主体代码', en: 'subject' },
  id: { zh: '记录标识', en: 'record id' },
  where: { zh: '取数条件', en: 'which rows' },
  freshness: { zh: '更新时间', en: 'freshness' },
  person: { zh: '是否自然人', en: 'person or not' },
  state: { zh: '记录状态', en: 'state' },
  level: { zh: '共享级别', en: 'share level' },
  publishedUntil: { zh: '公示截止', en: 'publicity' },
  codeLists: { zh: '代码表', en: 'Code lists' },
  codeListsWhat: { zh: '本市用语转出时的含义。', en: 'What our words mean on their way out.' },
  ourWord: { zh: '本市用语', en: 'Our word' },
  stands: { zh: '关系', en: 'Relation' },
  meansHere: { zh: '共享代码', en: 'Shared code' },
  validity: { zh: '适用日期', en: 'Days' },
  ended: { zh: '终止日期', en: 'end' },
  performance: { zh: '履行情况', en: 'performance' },
  version: { zh: '版本号', en: 'version' },
  comma: { zh: '、', en: ', ' },
  colon: { zh: '：', en: ': ' },
})
