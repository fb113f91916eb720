/** A trial of a mapping as text: each row with what it becomes, what stops it, and what of it does not come back. */
import type { Value } from '#protocol/message.ts'
import type { CompiledMapping } from '#schema/mapping.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { notTranslated as reasons } from './describe.ts'
import type { Trial, TriedRow, Unread } from './trial.ts'

/** The whole of a trial, in lines of Chinese and English. */
export function describeTrial(trial: Trial, mapping: CompiledMapping): string {
  const { city, table, family, unknown, lacking, rows } = trial
  const { vocabulary } = mapping
  const count = (outcome: TriedRow['outcome']) => rows.filter(row => row.outcome === outcome).length
  return [
    `${mapping.zh} ${city} · ${mapping.tables.get(table)?.zh ?? ''} ${table} → ${vocabulary.families.get(family)?.zh ?? ''} ${family}`,
    ...(unknown.length === 0
      ? []
      : [`  映射未提及的列 columns of which the mapping says nothing: ${unknown.join(', ')}`]),
    ...(lacking.length === 0
      ? []
      : [`  数据行缺少的列 columns that the mapping reads and the rows lack: ${lacking.join(', ')}`]),
    ...rows.flatMap(row => describeRow(row, vocabulary)),
    '',
    `${rows.length} 行 rows: ${count('given')} 可提供 may be given · ${count('refused')} 拒绝 refused · ${count('unread')} 查不到 not found`,
  ].join('\n')
}

const unreadBecause: Readonly<Record<Unread, string>> = {
  'no-key': '键列没有代码 the key columns hold no code',
  'key-form':
    '代码的写法查不到，key 的 forms、prefixes 也未列出 the code stands in a spelling that no question finds, and that "key" does not name',
  condition: '不符合 where 条件 a condition of "where" leaves it out',
  version: '有更新的版本 there is a newer version',
}

const marked: Readonly<Record<TriedRow['marks'][number], string>> = {
  objection: '异议处理中 under objection',
  notice: '仅供参考 for information only',
  territorial: '限于本地 of effect in its own place alone',
}

function describeRow(row: TriedRow, vocabulary: Vocabulary): string[] {
  const { outcome, rule, unread, subject, madeUp, marks, shared, masked, notTranslated, back, changed } = row
  const how = {
    given: '✓ 可提供 may be given',
    refused: `✗ 拒绝 refused: ${rule === undefined ? '' : `${rule.zh} ${rule.en} (${rule.code})`}`,
    unread: `– 查不到 not found: ${unread === undefined ? '' : unreadBecause[unread]}`,
  }[outcome]
  const whose =
    subject === undefined
      ? ''
      : `   ${subject}${madeUp ? '（由组织机构代码推算 made up from the organisation code）' : ''}`
  const fields = vocabulary.families.get(shared?.family ?? '')?.fields
  const label = (name: string) => `${fields?.get(name)?.zh ?? name} ${name}`
  return [
    '',
    `第 ${row.row} 行 row ${row.row}${whose}`,
    `  ${how}`,
    ...(shared === undefined
      ? []
      : [
          `  判断依据 judged by: 状态 state ${shared.state} · 级别 level ${shared.level ?? '不共享 none'} · 公示截止 published until ${shared.publishedUntil ?? '—'} · 终止 ended ${shared.endedOn ?? '—'}`,
          '  共享记录 shared record',
          ...Object.entries(shared.fields).map(
            ([name, value]) => `      ${label(name)}  ${describeValue(value, fields?.get(name)?.set, vocabulary)}`,
          ),
        ]),
    ...(marks.length === 0 || shared === undefined
      ? []
      : [`  标注 marked: ${marks.map(mark => marked[mark]).join('、')}`]),
    ...(masked.length === 0 ? [] : [`  已遮盖 masked in: ${masked.map(label).join(', ')}`]),
    ...notTranslated.map(({ field, original, codes }) =>
      codes.length === 0
        ? `  未转换 not translated: ${label(field)}  “${original}”`
        : `  含义不唯一 which cannot be told: ${label(field)}  “${original}”: ${codes.join(' / ')}`,
    ),
    ...(back === undefined
      ? []
      : [
          `  转回本市 back in the city’s words: ${back.table ?? '无表可显示 no table shows it'}`,
          ...back.untranslated.map(
            ({ zh, original, reason }) =>
              `      （写不下 no place for it）${zh}  ${original} · ${reasons[reason] ?? ''} ${reason}`,
          ),
          ...changed.map(
            ({ column, zh, was, now }) => `      ${column} ${zh}  ${was ?? '空 empty'} → ${now ?? '空 empty'}`,
          ),
          ...(changed.length === 0 && back.untranslated.length === 0 ? ['      与原行一致 the same as the row'] : []),
        ]),
  ]
}

function describeValue(value: Value, set: string | undefined, vocabulary: Vocabulary): string {
  if (typeof value === 'string') return value === 'indefinite' ? '长期 without end' : value
  if ('amount' in value) return `${value.amount} ${value.currency}`
  if ('untranslated' in value) return `（未转换 not translated）${value.untranslated}`
  const terms = vocabulary.sets.get(set ?? '')
  const codes = 'code' in value ? [value.code] : value.codes
  const named = codes.map(code => `${code} ${terms?.get(code)?.zh ?? ''}`).join('ambiguous' in value ? ' / ' : ' + ')
  return `${named}  （原文 original: ${value.original}）`
}
