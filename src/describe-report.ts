/** A translation report as text for a person: nothing that is lost is left out, and every loss stands beside its reason. */
import type { CodeListReport, CodeReport, WordReport } from '#schema/code-report.ts'
import type {
  Decision,
  FamilyReport,
  FieldReport,
  Loss,
  Outcome,
  TableReport,
  TranslationReport,
} from '#schema/report.ts'

const outcomes: Readonly<Record<Outcome, string>> = {
  covered: '完整 covered',
  lossy: '有损 lossy',
  dropped: '缺失 dropped',
}
const marks: Readonly<Record<Outcome, string>> = { covered: '✓', lossy: '≈', dropped: '✗' }

const directions = { out: '转出 out', in: '转入 in' } as const

const shown: Readonly<Record<FamilyReport['shown'], string>> = {
  all: '外市记录全部显示 all foreign records are shown',
  some: '外市记录部分显示 some foreign records are shown',
  none: '外市记录无表可显示 foreign records are shown in no table',
}

/** How a word stands to the codes, in both languages. */
const relations: Readonly<Record<WordReport['relation'], string>> = {
  exact: '一致 exact',
  narrower: '本市词更窄 narrower',
  broader: '本市词更宽 broader',
  overlapping: '部分重叠 overlapping',
  none: '无对应 none',
}

const decisions: Readonly<Record<Decision, string>> = {
  key: '主体代码',
  id: '记录标识',
  version: '版本号',
  where: '取数条件',
  freshness: '更新时间',
  person: '判断是否自然人',
  state: '记录状态',
  level: '共享级别',
  performance: '整改履行情况',
  publishedUntil: '公示截止',
  ended: '终止日期',
}

/** The few lines that `xinqiao check` prints; `how` is the call that prints the rest. */
export function summariseReport(report: TranslationReport, how: string): string {
  const { fields, columns, words, codes } = report.summary
  const kept = report.families.filter(({ tables }) => tables.length > 0)
  const missing = report.families.flatMap(family => (family.tables.length > 0 ? [] : `${family.zh} ${family.family}`))
  const needed = kept.flatMap(family =>
    family.fields.flatMap(field =>
      field.required && field.outcome === 'dropped' ? `${family.zh}·${field.zh} ${family.family}.${field.field}` : [],
    ),
  )
  return [
    `转换报告 translation   ${report.zh} ${report.en} · ${report.version}${report.assumed ? ' · 推定 assumed' : ''}`,
    `  类别 families   ${kept.length} 类有表 kept${missing.length === 0 ? '' : `；无表 without a table: ${missing.join('、')}`}`,
    `  字段 fields     ${fields.covered} 完整 covered · ${fields.lossy} 有损 lossy · ${fields.dropped} 缺失 dropped`,
    `  列 columns      ${columns.read} 读取 read · ${columns.dropped} 不接入 left where they are`,
    `  词语 words out  ${words.exact} 一致 exact · ${words.lossy} 有损 lossy · ${words.untranslated} 不转换 untranslated`,
    `  代码 codes in   ${codes.exact} 一致 exact · ${codes.approximate} 近似 approximate · ${codes.unsaid} 无词 no word`,
    ...(needed.length === 0 ? [] : [`  必备字段缺失 required, and dropped: ${needed.join('、')}`]),
    `  全文 in full: ${how}`,
  ].join('\n')
}

/** The whole report. */
export function describeReport(report: TranslationReport): string {
  const { city, zh, en, version, source, assumed, note, dates, families, tables, codes } = report
  const list = (texts: readonly string[]) => (texts.length === 0 ? '—' : texts.join('、'))
  return [
    `转换报告 translation report   ${zh} ${en} ${city} · ${version}${assumed ? ' · 推定 assumed' : ''}`,
    `  来源 source: ${source}`,
    ...(note === undefined ? [] : [`  说明 note: ${note}`]),
    `  日期 dates: 读 read ${list(dates.formats)}；写 written ${dates.formats[0] ?? '—'}；空 none ${list(dates.none)}；长期 without end ${list(dates.indefinite)}`,
    ...families.flatMap(describeFamily),
    '',
    '数据表 tables',
    ...tables.flatMap(describeTable),
    '',
    '代码表 code lists',
    ...codes.flatMap(describeCodes),
  ].join('\n')
}

function describeFamily({ family, zh, en, tables, shown: extent, unshown, fields }: FamilyReport): string[] {
  const because = unshown === undefined ? '' : `：${unshown}`
  if (tables.length === 0) return ['', `${zh} ${family} (${en})`, `  本市无表 no table of the city${because}`]
  return [
    '',
    `${zh} ${family} (${en})   表 tables: ${tables.join(', ')}`,
    `  ${shown[extent]}${because}`,
    ...fields.flatMap(describeField),
  ]
}

function describeField({ field, zh, outcome, required, from, absent, losses }: FieldReport): string[] {
  const ways = from.map(({ table, columns, constant, assumed }) => {
    const what = constant === undefined ? `${table}.${columns.join('+')}` : `${table} = “${constant}”`
    return assumed ? `${what}（推定 assumed）` : what
  })
  return [
    `  ${marks[outcome]} ${outcomes[outcome]}  ${field} ${zh}${required ? '（必备 required）' : ''}${ways.length === 0 ? '' : ` ← ${ways.join(', ')}`}`,
    ...[...Map.groupBy(absent, ({ reason }) => reason)].map(
      ([reason, alike]) => `      无此字段 not in ${alike.map(({ table }) => table).join(', ')}: ${reason}`,
    ),
    ...losses.flatMap(describeLoss),
  ]
}

function describeLoss({ tables, direction, zh, en, words }: Loss): string[] {
  return [
    `      ${directions[direction]} · ${tables.join(', ')}: ${zh} ${en}`,
    ...words.map(({ word, relation, means }) => {
      const meaning = means.length === 0 ? '—' : means.join(' / ')
      const [left, right] = direction === 'out' ? [word, meaning] : [meaning, word === '' ? '—' : word]
      return `          ${left} → ${right}   ${relations[relation]}`
    }),
  ]
}

function describeTable({ table, database, source, zh, assumed, note, columns, dropped }: TableReport): string[] {
  const deciding = columns.filter(({ fields }) => fields.length === 0)
  return [
    `  ${table} ${zh}   ${source}${database === table ? '' : ` · ${database}`}${assumed ? ' · 推定 assumed' : ''}`,
    ...(note === undefined ? [] : [`      说明 note: ${note}`]),
    ...deciding.map(({ column, zh, decides }) => {
      const what = decides.map(each => `${decisions[each]} ${each}`).join('、')
      return `      只作判断 only decides   ${column} ${zh}：${what}`
    }),
    ...dropped.map(({ column, reason }) => `      不接入 never read   ${column}：${reason}`),
  ]
}

function describeCodes({
  list,
  zh,
  source,
  set,
  within,
  assumed,
  note,
  usedBy,
  out,
  others,
  in: back,
}: CodeListReport): string[] {
  return [
    `  ${list} ${zh} → ${set}${within === undefined ? '' : ` ${within}`}${assumed ? ' · 推定 assumed' : ''}`,
    `      用于 used by: ${usedBy.join(', ')} · 来源 source: ${source}`,
    ...(note === undefined ? [] : [`      说明 note: ${note}`]),
    ...out.map(describeWord),
    `      转出 out  其他词 any other word → ${otherWords[others]}`,
    ...(back === null
      ? ['      转入 in   只作判断，不写入 it only decides, nothing is written with it']
      : back.map(describeCode)),
  ]
}

const wordOutcomes: Readonly<Record<WordReport['outcome'], string>> = {
  exact: '',
  narrower: '，代码所说更少 the code says less',
  several: '，全部成立 all of them hold',
  ambiguous: '，含义不唯一 which of them cannot be told',
  untranslated: '，原文照传 travels as it stands',
}

const otherWords: Readonly<Record<CodeListReport['others'], string>> = {
  untranslated: '—   不猜，原文照传 not guessed, it travels as it stands',
  unknown: '—   不猜，该记录不提供，该类别为未知 not guessed, its record is not given and its family is unknown',
}

function describeWord({ words, relation, outcome, codes, validFrom, validTo, reason }: WordReport): string {
  const meaning = codes.length === 0 ? '—' : codes.map(({ code, zh }) => `${code} ${zh}`).join(' / ')
  const days = daysOf(validFrom, validTo)
  const because = reason === undefined ? '' : `：${reason}`
  return `      转出 out  ${words.join('、')}${days} → ${meaning}   ${relations[relation]}${wordOutcomes[outcome]}${because}`
}

function describeCode({ code, zh, relation, word, validFrom, validTo, reason }: CodeReport): string {
  const because = reason === undefined ? '' : `：${reason}`
  return `      转入 in   ${code} ${zh} → ${word ?? '—'}${daysOf(validFrom, validTo)}   ${relations[relation]}${because}`
}

function daysOf(from: string | null, to: string | null): string {
  return from === null && to === null ? '' : `（${from ?? ''}—${to ?? ''}）`
}
