/** An answer in this city's words with the other city's own beside it; what is not known, not given or not exact is said where it belongs. */
import { html } from 'hono/html'
import type { AskAnswer } from '#exchange/ask.ts'
import { freshnessWords } from '#protocol/freshness.ts'
import type { Value } from '#protocol/message.ts'
import { refusals } from '#protocol/refusal.ts'
import { BASE, type Visit } from './desk.ts'
import type { Markup } from './layout.ts'
import { cityName, codeOf, countOf, purposeName, timeOf } from './shown.ts'
import { type Language, words as shared, spoken } from './words.ts'

type Peer = AskAnswer['peers'][number]
type Result = Peer['results'][number]
type Told = Result['records'][number]
type Verdict = NonNullable<Result['verdict']>
type Measure = NonNullable<Told['measures']>[number]
type Why = NonNullable<Peer['reason']>

/** The whole of an answer, as sections of a page: the outcomes, the conclusions of a check, then each city by itself. */
export function answerView(answer: AskAnswer, c: Visit): Markup {
  const t = words[c.get('language')]
  const { schema, verdicts = [], peers } = answer
  return html`${schema.assumed && html`<div class="told"><p>${t.assumed}</p></div>`}
${overview(answer, c)}
${verdicts.length > 0 && html`<section class="sheet"><h2>${t.check(purposeName(answer.purpose, c))}</h2>${verdicts.map(each => verdictOf(codeOf(each.subject, c.get('staff')), each, c))}</section>`}
${peers.map(peer => peerSheet(peer, c))}`
}

const outcomeHues = { answered: 'good', refused: 'bad', unknown: 'warn' } as const

/** Whether something that was asked for is not known, though an answer came. */
function hasGaps({ outcome, results, freshness = [] }: Peer): boolean {
  const isPartial = ({ status, unknown = [] }: Result) => status !== 'answered' || unknown.length > 0
  return outcome === 'answered' && (results.some(isPartial) || freshness.some(({ status }) => status !== 'fresh'))
}

function outcomeTag(peer: Peer, language: Language): Markup {
  const gaps = hasGaps(peer)
  const [t, s] = [words[language], shared[language]]
  return html`<span class="tag ${gaps ? 'warn' : outcomeHues[peer.outcome]}">${gaps ? t.inPart : s[peer.outcome]}</span>`
}

function overview({ peers }: AskAnswer, c: Visit): Markup {
  const [{ agreements }, language] = [c.get('desk').city, c.get('language')]
  const [t, s] = [words[language], shared[language]]
  const records = ({ results }: Peer) => results.reduce((sum, each) => sum + each.records.length, 0)
  return html`<section class="sheet"><h2>${t.cities}</h2><table class="stacked">
<thead><tr><th scope="col">${s.peer}</th><th scope="col">${s.outcome}</th><th scope="col" class="n">${t.records}</th><th scope="col">${s.agreement}</th><th scope="col" class="n">${t.entry}</th></tr></thead>
<tbody>${peers.map(
    peer => html`<tr><th scope="row"><a href="#${peer.peer}">${cityName(peer.peer, c)}</a></th>
<td data-label="${s.outcome}">${outcomeTag(peer, language)}${because(peer.reason, language)}</td>
<td data-label="${t.records}" class="n">${peer.outcome === 'answered' ? countOf(records(peer), language) : '—'}</td>
<td data-label="${s.agreement}">${peer.agreement === undefined ? '—' : (agreements.find(peer.agreement)?.text.title[language] ?? peer.agreement)}</td>
<td data-label="${t.entry}" class="n">${peer.entry === undefined ? '—' : html`<a href="${BASE}/entry/${peer.entry}">${countOf(peer.entry, language)}</a>`}</td></tr>`,
  )}</tbody></table></section>`
}

function because(reason: Why | undefined, language: Language): Markup | '' {
  return reason === undefined
    ? ''
    : html`<span class="row small">${reason[language]} <code class="soft">${reason.code}</code></span>`
}

function peerSheet(peer: Peer, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const { withheld = [], freshness = [], results, receipt, reason } = peer
  return html`<section class="sheet" id="${peer.peer}"><h2>${cityName(peer.peer, c)} ${outcomeTag(peer, language)}</h2>
${because(reason, language)}
${results.map(result => resultOf(result, peer, c))}
${freshness.length > 0 && freshnessOf(freshness, c)}
${withheld.length > 0 && withheldOf(withheld, c)}
${receipt && html`<p class="soft small">${t.receipt(countOf(receipt.index, language))}${timeOf(receipt.at)}${t.leaf}<code>${receipt.leaf}</code></p>`}
</section>`
}

const statusHues = { answered: 'good', unknown: 'warn', stale: 'warn', refused: 'bad' } as const

function resultOf(result: Result, peer: Peer, c: Visit): Markup {
  const language = c.get('language')
  const [t, s] = [words[language], shared[language]]
  const { subject, status, reason, doubt, records, unknown = [], verdict } = result
  const isPartial = status === 'answered' && unknown.length > 0
  return html`<h3><code>${subject === undefined ? t.noCode : codeOf(subject, c.get('staff'))}</code> <span class="tag ${isPartial ? 'warn' : statusHues[status]}">${isPartial ? t.partly : status === 'stale' ? t.stale : s[status]}</span></h3>
${because(reason, language)}
${doubt !== undefined && html`<p class="small">${t.doubt}</p>`}
${unknown.length > 0 && html`<ul>${unknown.map(each => html`<li><b>${s.unknown}</b> ${familyName(each.family, c)}${because(each.reason, language)}</li>`)}</ul>`}
${records.length === 0 && noneOf(result, peer, language)}
${verdict !== undefined && verdictOf(t.alone(cityName(peer.peer, c)), verdict, c)}
${records.map(record => recordOf(record, peer, c))}`
}

/** That nothing was found is said only of what was looked at and is fresh; of the rest it was said that it is unknown. */
function noneOf({ status, unknown = [] }: Result, { outcome, freshness = [] }: Peer, language: Language): Markup | '' {
  const t = words[language]
  if (outcome !== 'answered' || status !== 'answered') return html`<p>${t.nothingKnown}</p>`
  const isWhole = unknown.length === 0 && freshness.every(each => each.status === 'fresh')
  return html`<p>${isWhole ? t.noRecord : t.noRecordElse}</p>`
}

function familyName(code: string, c: Visit): string {
  return c.get('desk').city.vocabulary.families.get(code)?.[c.get('language')] ?? code
}

function recordOf(record: Told, peer: Peer, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  const { shared: sent, local } = record
  const marks = [
    ...(sent.objection ? [t.objection] : []),
    ...(sent.notice ? [t.notice] : []),
    ...(sent.territorial ? [t.territorial] : []),
  ]
  const named = familyName(sent.family, c)
  // Our tables have Chinese names alone.
  const title = language === 'zh' ? (local.title ?? named) : named
  return html`<section><h4>${title} <span class="soft small">${t.number} <bdi>${sent.id}</bdi></span>${marks.map(mark => html` <span class="tag warn">${mark}</span>`)}</h4>
${recognitionOf(record, language)}
<table class="stacked"><thead><tr><th scope="col">${t.field}</th><th scope="col">${t.here}</th><th scope="col">${t.there(cityName(peer.peer, c))}</th></tr></thead>
<tbody>${rowsOf(record, c).map(
    ({ name, ours, theirs, note, isMasked }) => html`<tr><th scope="row">${name}</th>
<td data-label="${t.here}">${ours.map(({ label, text }) => html`<span class="row"><bdi>${text}</bdi> <span class="soft small">${label}</span></span>`)}${note === undefined ? ours.length === 0 && '—' : html`<span class="row small soft">${note}</span>`}</td>
<td data-label="${t.there(cityName(peer.peer, c))}"><bdi>${theirs}</bdi>${isMasked && html` <span class="tag">${t.masked}</span>`}</td></tr>`,
  )}</tbody></table></section>`
}

type Row = {
  readonly name: string
  readonly ours: readonly { readonly label: string; readonly text: string }[]
  readonly theirs: string
  readonly note: string | undefined
  readonly isMasked: boolean
}

/** A row for each field that came: which columns of ours say it, and how well. */
function rowsOf({ shared: sent, local }: Told, c: Visit): readonly Row[] {
  const [{ mapping, vocabulary }, language] = [c.get('desk').city, c.get('language')]
  const t = words[language]
  const family = vocabulary.families.get(sent.family)
  const table = mapping.tables.get(local.table ?? '')
  return Object.entries(sent.fields).map(([field, value]) => {
    const written = table?.writes.get(field)?.(value, sent.fields).columns ?? {}
    const columns = Object.keys(written).filter(column => local.columns[column] !== undefined)
    const lost = local.untranslated.find(each => each.field === field)
    const [relation] = columns
      .flatMap(column => local.meanings[column]?.relation ?? [])
      .filter(each => each !== 'exact')
    const set = vocabulary.sets.get(family?.fields.get(field)?.set ?? '')
    const means = lost === undefined ? undefined : [...codesIn(value)].map(code => set?.get(code)?.[language] ?? code)
    const notes = [
      ...(relation === undefined ? [] : [t.notExact(isRelation(relation) ? t[relation] : relation)]),
      ...(lost === undefined ? [] : [isReason(lost.reason) ? t[lost.reason] : lost.reason]),
      ...(means === undefined || means.length === 0 ? [] : [t.means(means.join(t.comma))]),
    ]
    return {
      name: family?.fields.get(field)?.[language] ?? field,
      ours: columns.map(column => ({ label: local.labels[column] ?? column, text: local.columns[column] ?? '' })),
      theirs: value === 'indefinite' ? t.indefinite : originalOf(value),
      note: notes.length === 0 ? undefined : notes.join(t.semicolon),
      isMasked: sent.masked?.includes(field) === true,
    }
  })
}

/** What the other city wrote, to the letter where it says so. */
function originalOf(value: Value): string {
  if (typeof value === 'string') return value
  if ('amount' in value) return `${value.amount} ${value.currency}`
  return 'untranslated' in value ? value.untranslated : value.original
}

function codesIn(value: Value): readonly string[] {
  if (typeof value === 'string') return []
  return 'code' in value ? [value.code] : 'codes' in value ? value.codes : []
}

const recognitionHues = { recognised: 'good', informational: 'warn', refused: 'bad' } as const

/** What an entry or a rating is here: the relation, the clause, and what follows. */
function recognitionOf({ recognition, measures = [], elsewhere = [] }: Told, language: Language): Markup | '' {
  const t = words[language]
  if (recognition === undefined) return ''
  const { outcome, original, as = [], ambiguous, relation, clause, why, endUnknown } = recognition
  const said = original[language] ?? original.text ?? ''
  return html`<dl class="facts">
<div><dt>${t.recognition}</dt><dd><span class="tag ${recognitionHues[outcome]}">${t[`is-${outcome}`]}</span> <bdi>${said}</bdi>${as.length > 0 && html` → <b>${as.map(each => each[language]).join(ambiguous ? t.or : t.comma)}</b>`}${endUnknown && html` <span class="tag warn">${t.endUnknown}</span>`}${because(why, language)}</dd></div>
${relation && html`<div><dt>${t.relation}</dt><dd>${isRelation(relation) ? t[relation] : relation}</dd></div>`}
${clause && html`<div><dt>${t.clause}</dt><dd>${clause}</dd></div>`}
${measures.length > 0 && html`<div><dt>${t.measures}</dt><dd>${measures.map(each => measureOf(each, language))}</dd></div>`}
${elsewhere.length > 0 && html`<div><dt>${t.elsewhere}</dt><dd>${elsewhere.map(each => measureOf(each, language))}</dd></div>`}
</dl>`
}

function measureOf({ basis, territorial, until, ...name }: Measure, language: Language): Markup {
  const t = words[language]
  return html`<span class="row">${name[language]} <span class="soft small">${basis}${until !== undefined && html` · ${t.until(until)}`}${territorial && html` · ${t.territorial}`}</span></span>`
}

const verdictHues = { yes: 'good', no: 'bad', unknown: 'warn' } as const

function verdictOf(of: string, { verdict, reliedOn, setAside, why }: Verdict, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  return html`<div class="told"><p><b>${of}</b> <span class="tag ${verdictHues[verdict]}">${t[`may-${verdict}`]}</span>${why.map(each => because(each, language))}</p>
${
  reliedOn.length > 0 &&
  html`<p>${t.reliesOn}</p><ul>${reliedOn.map(
    ({ city, id, list, grade, basis, document, until, clause, objection, measures }) =>
      html`<li>${cityName(city, c)} <bdi>${id}</bdi> · ${list[language]} · ${grade[language]} · ${basis}${document !== undefined && html` · <bdi>${document}</bdi>`}${until !== undefined && html` · ${t.until(until)}`}${clause !== undefined && html` · ${t.clause} ${clause}`}${objection && html` · ${t.objection}`}${measures.map(each => measureOf(each, language))}</li>`,
  )}</ul>`
}
${
  setAside.length > 0 &&
  html`<p>${t.setAside}</p><ul>${setAside.map(({ city, id, why: reason }) => html`<li>${cityName(city, c)} <bdi>${id}</bdi>${because(reason, language)}</li>`)}</ul>`
}</div>`
}

const freshHues = { fresh: 'good', stale: 'bad', unknown: 'warn' } as const

function freshnessOf(freshness: NonNullable<Peer['freshness']>, c: Visit): Markup {
  const language = c.get('language')
  const t = words[language]
  return html`<details><summary>${t.freshness}</summary><table><thead><tr><th scope="col">${t.family}</th><th scope="col">${t.asOf}</th><th scope="col">${t.state}</th></tr></thead>
<tbody>${freshness.map(({ family, asOf, status }) => html`<tr><th scope="row">${familyName(family, c)}</th><td>${asOf === undefined ? '—' : timeOf(asOf)}</td><td><span class="tag ${freshHues[status]}">${freshnessWords[status][language]}</span></td></tr>`)}</tbody></table></details>`
}

/** What is kept back, by rule. It says what kind of thing, never that there is one. */
function withheldOf(withheld: NonNullable<Peer['withheld']>, c: Visit): Markup {
  const [{ vocabulary }, language] = [c.get('desk').city, c.get('language')]
  const t = words[language]
  const rule = (code: keyof typeof refusals) => html`<span class="row small">${refusals[code][language]}</span>`
  const named = withheld.flatMap(each => {
    if ('records' in each) return []
    const fields = vocabulary.families.get(each.family)?.fields
    const what =
      'fields' in each
        ? each.fields.map(field => fields?.get(field)?.[language] ?? field).join(t.comma)
        : 'kinds' in each
          ? each.kinds.map(kind => vocabulary.sets.get('subject-kinds')?.get(kind)?.[language] ?? kind).join(t.comma)
          : t.whole
    return [html`<li><b>${familyName(each.family, c)}</b> ${what}${rule(each.rule)}</li>`]
  })
  const kept = Map.groupBy(
    withheld.flatMap(each => ('records' in each ? [each] : [])),
    ({ records }) => records.join(' '),
  )
  return html`<details><summary>${t.withheld}</summary>
${named.length > 0 && html`<p>${t.notGiven}</p><ul>${named}</ul>`}
${[...kept.values()].map(
  ([first, ...others]) =>
    first &&
    html`<p>${t.ifAny} <b>${[first, ...others].map(({ family }) => familyName(family, c)).join(t.comma)}</b></p><ul>${first.records.map(code => html`<li>${rule(code)}</li>`)}</ul>`,
)}</details>`
}

const relations = {
  exact: { zh: '一致', en: 'exact' },
  narrower: { zh: '更窄', en: 'narrower' },
  broader: { zh: '更宽', en: 'broader' },
  overlapping: { zh: '部分重叠', en: 'overlapping' },
  none: { zh: '无对应', en: 'none' },
} as const
function isRelation(text: string): text is keyof typeof relations {
  return Object.hasOwn(relations, text)
}

const reasons = {
  'no-table': { zh: '本市无此类数据表', en: 'no table of ours' },
  'no-column': { zh: '本市无此栏', en: 'no column of ours' },
  'unknown-field': { zh: '不认识的字段', en: 'a field we do not know' },
  'no-word': { zh: '本市无对应用语', en: 'no word of ours' },
  ambiguous: { zh: '含义不唯一，未转换', en: 'ambiguous, not translated' },
  'not-translated-there': { zh: '对方未转换', en: 'not translated there' },
  'not-understood': { zh: '无法识别', en: 'not understood' },
} as const
function isReason(text: string): text is keyof typeof reasons {
  return Object.hasOwn(reasons, text)
}

const words = spoken({
  ...relations,
  ...reasons,
  assumed: {
    zh: '本市字段名为推定，请与数据表核对。',
    en: 'Our field names are assumed: compare them with the tables.',
  },
  cities: { zh: '各城市', en: 'Cities' },
  records: { zh: '记录数', en: 'Records' },
  entry: { zh: '本市日志', en: 'Our ledger' },
  check: (purpose: string) => ({ zh: `核查结论：${purpose}`, en: `Conclusion: ${purpose}` }),
  alone: (city: string) => ({ zh: `仅据${city}`, en: `By ${city} alone` }),
  inPart: { zh: '已答复，但不完整', en: 'Answered, not in full' },
  partly: { zh: '部分类别未知', en: 'Partly unknown' },
  stale: { zh: '数据过期', en: 'Stale' },
  noCode: { zh: '代码无效', en: 'invalid code' },
  doubt: { zh: '代码的校验位不符，请以名称核对。', en: 'The check character does not fit: compare the name.' },
  nothingKnown: { zh: '情况未知，不表示没有记录。', en: 'Nothing is known; that does not mean that there is nothing.' },
  noRecord: { zh: '未查到可提供的记录。', en: 'No record that may be given.' },
  noRecordElse: { zh: '其余类别未查到可提供的记录。', en: 'Of the other families, no record that may be given.' },
  objection: { zh: '异议处理中', en: 'Under objection' },
  notice: { zh: '地方提示，不是名单', en: 'A local notice, no list' },
  territorial: { zh: '仅在作出地有效', en: 'Holds there alone' },
  field: { zh: '项目', en: 'Field' },
  here: { zh: '本市用语', en: 'In our words' },
  there: (city: string) => ({ zh: `${city}原文`, en: `${city}, original` }),
  masked: { zh: '个人号码已遮盖', en: 'masked' },
  indefinite: { zh: '长期', en: 'without end' },
  notExact: (relation: string) => ({ zh: `含义不完全一致：${relation}`, en: `not exact: ${relation}` }),
  means: (codes: string) => ({ zh: `含义：${codes}`, en: `means: ${codes}` }),
  recognition: { zh: '互认', en: 'Recognition' },
  'is-recognised': { zh: '本市认可为', en: 'Recognised' },
  'is-informational': { zh: '仅供参考', en: 'Information only' },
  'is-refused': { zh: '不予认可', en: 'Not recognised' },
  endUnknown: {
    zh: '有效期至未知，今日是否仍有效不明',
    en: 'Its end is not known: whether it still holds today is not said',
  },
  relation: { zh: '关系', en: 'Relation' },
  clause: { zh: '条款', en: 'Clause' },
  measures: { zh: '可采取措施', en: 'Measures' },
  elsewhere: { zh: '对方措施，仅供参考', en: 'Measures there, information only' },
  until: (day: string) => ({ zh: `至 ${day}`, en: `until ${day}` }),
  or: { zh: ' 或 ', en: ' or ' },
  'may-yes': { zh: '可', en: 'Yes' },
  'may-no': { zh: '不可', en: 'No' },
  'may-unknown': { zh: '未知', en: 'Unknown' },
  reliesOn: { zh: '依据：', en: 'It rests on:' },
  setAside: { zh: '未采用：', en: 'Set aside:' },
  freshness: { zh: '数据时间', en: 'Freshness of the data' },
  family: { zh: '信息类别', en: 'Family' },
  asOf: { zh: '截至', en: 'As of' },
  state: { zh: '状态', en: 'State' },
  withheld: { zh: '按规则不提供的内容', en: 'What is withheld, by rule' },
  notGiven: { zh: '不提供：', en: 'Not given:' },
  ifAny: { zh: '如有则不提供：', en: 'Not given, if there are any:' },
  whole: { zh: '整类', en: 'all of it' },
  receipt: (index: string) => ({ zh: `对方日志第 ${index} 条，`, en: `In their ledger: entry ${index}, ` }),
  leaf: { zh: '，条目摘要 ', en: ', digest ' },
  number: { zh: '记录编号', en: 'record' },
  comma: { zh: '、', en: ', ' },
  semicolon: { zh: '；', en: '; ' },
})
