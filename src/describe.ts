/** An answer as text for a clerk: whatever is not known, not given or not exact has a line of its own, and nothing reads cleaner than it is. */
import type { AskAnswer } from '#exchange/ask.ts'
import { freshnessWords } from '#protocol/freshness.ts'
import { refusals } from '#protocol/refusal.ts'

const outcomes: Readonly<Record<string, string>> = {
  answered: '已答复 answered',
  refused: '未受理 refused',
  unknown: '未知 unknown',
  stale: '数据过期 stale',
}

/** Why a value stands in none of our columns. */
export const notTranslated: Readonly<Record<string, string>> = {
  'no-table': '本市无此类数据表',
  'no-column': '本市无此栏',
  'unknown-field': '不认识的字段',
  'no-word': '本市无对应用语',
  ambiguous: '含义不唯一',
  'not-translated-there': '对方未转换',
  'not-understood': '无法识别',
}

type Told = AskAnswer['peers'][number]
type ToldResult = Told['results'][number]
type ToldRecord = ToldResult['records'][number]
type ToldVerdict = NonNullable<ToldResult['verdict']>
type ToldMeasure = NonNullable<ToldRecord['measures']>[number]

/** How one level or list stands to another, in the words of both sides’ agreement. */
const relations: Readonly<Record<string, string>> = {
  exact: '等同',
  narrower: '窄于',
  broader: '宽于',
  overlapping: '交叉',
  none: '无对应',
}

const answers: Readonly<Record<string, string>> = { yes: '可 yes', no: '不可 no', unknown: '未知 unknown' }

/** The whole of an answer, in lines of Chinese and English. */
export function describeAnswer({ city, schema, peers, verdicts = [] }: AskAnswer): string {
  const lines = peers.flatMap(each => {
    const { peer, outcome, reason, withheld = [], freshness = [], results } = each
    const gap =
      outcome === 'answered' && (results.some(isIncomplete) || freshness.some(({ status }) => status !== 'fresh'))
    return [
      `${peer}: ${outcomes[outcome] ?? outcome}${gap ? '，但不完整 but not in full' : ''}${because(reason)}`,
      ...(freshness.length === 0 ? [] : [`  数据时间 freshness: ${freshness.map(describeFreshness).join('; ')}`]),
      ...describeWithheld(withheld),
      ...results.flatMap(result => describeResult(result, each)),
    ]
  })
  const note = '本市字段名为推定，请核对 the field names are assumed: compare them with the tables'
  const checks = verdicts.flatMap(each => describeVerdict(`核查结论 check ${each.subject}`, each, ''))
  return [...(schema.assumed ? [`（${city}: ${note}）`] : []), ...checks, ...lines]
    .map(line => line.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, ' '))
    .join('\n')
}

const isIncomplete = ({ status, unknown = [] }: ToldResult) => status !== 'answered' || unknown.length > 0

function because(reason: { readonly zh: string; readonly en: string; readonly code: string } | undefined): string {
  return reason === undefined ? '' : ` · ${reason.zh} ${reason.en} (${reason.code})`
}

function describeFreshness({ family, status, asOf }: NonNullable<Told['freshness']>[number]): string {
  const { zh, en } = freshnessWords[status]
  return `${family} ${zh} ${en.toLowerCase()}${asOf === undefined ? '' : ` ${asOf}`}`
}

/** What is kept back by rule, a line a kind; the rules for records are mostly the same for all families, and said once. */
function describeWithheld(withheld: NonNullable<Told['withheld']>): string[] {
  const lines: string[] = []
  const byRules = new Map<string, string[]>()
  for (const each of withheld) {
    if ('records' in each) {
      const rules = each.records.join(', ')
      byRules.set(rules, [...(byRules.get(rules) ?? []), each.family])
      continue
    }
    const what =
      'fields' in each ? ` 字段 fields ${each.fields.join(', ')}` : 'kinds' in each ? ` ${each.kinds.join(', ')}` : ''
    lines.push(`  不提供 withheld: ${each.family}${what} · ${refusals[each.rule].zh} (${each.rule})`)
  }
  for (const [rules, families] of byRules)
    lines.push(`  如有则不提供 records kept back, if any: ${families.join(', ')} · ${rules}`)
  return lines
}

function describeResult(result: ToldResult, { outcome, freshness = [] }: Told): string[] {
  const { subject, status, reason, doubt, records, unknown = [], verdict } = result
  const whole = status === 'answered' && outcome === 'answered'
  const none =
    unknown.length === 0 && freshness.every(each => each.status === 'fresh')
      ? '未查到可提供的记录 no record that may be given'
      : '其余类别未查到可提供的记录 of the other families, no record that may be given'
  const partly = status === 'answered' && unknown.length > 0 ? '，部分类别未知 but some families unknown' : ''
  return [
    `  ${subject ?? '—'}  ${outcomes[status] ?? status}${partly}${because(reason)}`,
    ...(doubt === undefined ? [] : ['    存疑 doubt: 代码的校验位不符 the check character of the code does not fit']),
    ...unknown.map(each => `    未知 unknown: ${each.family}${because(each.reason)}`),
    ...(whole && records.length === 0 ? [`    ${none}`] : []),
    ...(verdict === undefined ? [] : describeVerdict('仅据该市 by this city alone', verdict, '    ')),
    ...records.flatMap(describeRecord),
  ]
}

/** Yes, no or unknown, and under it each record that it rests on, each that it does not, and each gap. */
function describeVerdict(what: string, { verdict, reliedOn, setAside, why }: ToldVerdict, indent: string): string[] {
  return [
    `${indent}${what}: ${answers[verdict] ?? verdict}`,
    ...why.map(each => `${indent}  原因 because${because(each)}`),
    ...reliedOn.flatMap(({ city, id, list, grade, basis, document, until, clause, objection, measures }) => [
      `${indent}  依据 relies on: ${city} ${id} · ${list.zh} ${list.en} · ${grade.zh} ${grade.en} · ${basis}${document === undefined ? '' : ` · ${document}`}`,
      `${indent}    至 until ${until ?? '未载明 not stated'} · 互认条款 clause ${clause ?? ''}${describeMarks({ objection })}`,
      ...measures.map(each => `${indent}    措施 measure: ${describeMeasure(each)}`),
    ]),
    ...setAside.map(each => `${indent}  未采用 set aside: ${each.city} ${each.id}${because(each.why)}`),
  ]
}

function describeMeasure({ zh, en, basis, territorial, until }: ToldMeasure): string {
  const where = territorial ? '，仅限该市 in that city alone' : ''
  return `${zh} ${en}（${basis}${until === undefined ? '' : `，至 until ${until}`}${where}）`
}

/** What an entry or a rating of the other city is here; the other city’s own word stands in the record below it. */
function describeRecognition({ recognition, measures = [], elsewhere = [] }: ToldRecord): string[] {
  if (recognition === undefined) return []
  const { outcome, original, as = [], ambiguous, relation, clause, why, endUnknown } = recognition
  const by = clause === undefined ? '' : ` · ${clause} ${relations[relation ?? ''] ?? ''} ${relation ?? ''}`
  const ours = as.map(({ zh, en }) => `${zh} ${en}`).join(' / ')
  const said = original.zh ?? original.text ?? ''
  const lines = {
    recognised: `认可 recognised: ${said} → ${ours}${ambiguous ? '，其中之一 one of them' : ''}${by}`,
    informational: `仅供参考 information only: ${said}${by}${because(why)}`,
    refused: `不予认可 refused: ${said}${because(why)}`,
  }
  return [
    `      ${lines[outcome]}`,
    ...(endUnknown
      ? ['      有效期至未知，今日是否仍有效不明 its end is not known: whether it still holds today is not said']
      : []),
    ...measures.map(each => `      可采取措施 measure: ${describeMeasure(each)}`),
    ...elsewhere.map(each => `      对方措施，仅供参考 measure there, information only: ${describeMeasure(each)}`),
  ]
}

function describeMarks({ objection, notice, territorial }: Partial<ToldRecord['shared']>): string {
  return [
    objection ? '  ［异议处理中 under objection］' : '',
    notice ? '  ［地方提示，不是名单 a local notice, no list］' : '',
    territorial ? '  ［仅在作出地有效，仅供参考 holds there alone, information only］' : '',
  ].join('')
}

function describeRecord(record: ToldRecord): string[] {
  const { shared, local } = record
  const { title, columns, labels, meanings, untranslated } = local
  return [
    `    ${title ?? shared.family}${describeMarks(shared)}`,
    ...describeRecognition(record),
    ...Object.entries(columns).map(
      ([column, value]) => `      ${labels[column] ?? column}  ${value}${notExact(meanings[column])}`,
    ),
    ...untranslated.map(({ zh, original, meaning, reason }) => {
      const means = meaning === undefined ? '' : `，含义 meaning: ${meaning}`
      return `      （未转换 not translated）${zh}  ${original}${means} · ${notTranslated[reason] ?? ''} ${reason}`
    }),
    ...(shared.masked === undefined
      ? []
      : [`      已遮盖个人号码 personal numbers masked in: ${shared.masked.join(', ')}`]),
  ]
}

function notExact(meaning: ToldRecord['local']['meanings'][string] | undefined): string {
  if (meaning === undefined || meaning.relation === 'exact') return ''
  return `  （对方原文 original: ${meaning.original}；含义不完全一致 not exact: ${meaning.relation}）`
}
