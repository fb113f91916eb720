/** What the demo shows a person stands in columns, in Chinese and English, no line wider than a terminal of 100. */
import { join } from 'node:path'
import stringWidth from 'string-width'
import type { AskAnswer } from '#exchange/ask.ts'
import { refusals } from '#protocol/refusal.ts'
import { readSubject, type SubjectKind } from '#protocol/subject.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { readCodes } from './check.ts'
import { agreementsOf, type Played } from './demo-scenes.ts'
import type { Federation } from './federation.ts'

/** Columns of a terminal that every line fits into. */
const WIDTH = 100

const outcomes: Readonly<Record<string, string>> = { answered: '已答复', refused: '未受理', unknown: '未知' }
/** Of a question that its own city's gateway refused, the other city knows nothing. */
const NOT_SENT = '未发出'
const told: ReadonlyMap<string, { readonly zh: string; readonly en: string }> = new Map(Object.entries(refusals))

/** Everything that was played, and what it means: questions, pairs of cities, one enterprise in every city, one record. */
export function describePlayed(played: readonly Played[], federation: Federation): string {
  const vocabulary = readCodes(join(federation.folder, 'federation-config'))
  const parts = [
    questions(played, federation, vocabulary),
    pairs(played, federation),
    ...played.flatMap(each => known(each, federation, vocabulary)),
    legend(played, vocabulary),
    example(played, federation),
  ]
  return parts.join('\n\n')
}

/** 惠州市 is 惠州 where there is little room. */
function short(city: string, federation: Federation): string {
  return federation.city(city).name.zh.replace(/[市区县]$/, '')
}

function cityName(city: string, federation: Federation): string {
  return `${short(city, federation)} ${federation.city(city).name.en}`
}

/** Whether a scene stands in the first table, a line for itself. */
function isTitled({ scene: { title, to } }: Played): boolean {
  return title !== undefined && to !== '*'
}

/** The scenes with a title, each question in a line. */
function questions(played: readonly Played[], federation: Federation, { purposes }: Vocabulary): string {
  const rows = played
    .filter(isTitled)
    .flatMap(({ scene: { title, to, tamper }, exchanges: [exchange], told: answer }) => {
      if (title === undefined || exchange === undefined) return []
      const { from, purpose, outcome, reason, records, withheld, ms } = exchange
      const why = reason === undefined ? '' : ` ${told.get(reason)?.zh ?? reason}`
      return [
        [
          title.zh,
          `${short(from, federation)} → ${short(to, federation)}`,
          purposes.get(purpose)?.zh ?? purpose,
          `${answer === undefined && !tamper ? NOT_SENT : (outcomes[outcome] ?? outcome)}${why}`,
          String(records),
          String(withheld),
          ms.toFixed(1),
        ],
      ]
    })
  const heads = [
    ['查询', '方向', '目的', '结果', '记录', '不提供', '毫秒'],
    ['question', 'asks → of', 'purpose', 'outcome', 'given', 'withheld', 'ms'],
  ]
  return tableOf(heads, rows, 4)
}

/** Who asks whom under which agreement, and how many records came. */
function pairs(played: readonly Played[], federation: Federation): string {
  const { cities } = federation
  const agreements = agreementsOf(federation)
  const exchanges = played.flatMap(each => each.exchanges)
  const cell = (from: string, to: string) => {
    if (from === to || !agreements.some(({ parties }) => parties.includes(from) && parties.includes(to))) return '·'
    const answered = exchanges.filter(each => each.from === from && each.to === to && each.outcome === 'answered')
    if (answered.length === 0) return '?'
    const sum = answered.reduce((sum, { records }) => sum + records, 0)
    const open = answered.some(({ complete }) => !complete)
    return open ? `${sum || ''}?` : String(sum || '—')
  }
  const heads = [
    ['查询方 ＼ 被查询方', ...cities.map(({ id }) => short(id, federation))],
    ['asks ＼ is asked', ...cities.map(({ name }) => name.en)],
  ]
  const rows = cities.map(({ id }) => [cityName(id, federation), ...cities.map(({ id: to }) => cell(id, to))])
  const under = agreements.map(
    ({ id, parties }) => `协议 agreement  ${id}  ${parties.map(party => short(party, federation)).join('、')}`,
  )
  return `每对有协议的城市：答复所给记录数 every pair with an agreement: records given in answers
${tableOf(heads, rows, 1)}
${under.join('\n')}`
}

/** Of a question to every city: what each of them knows about the enterprise, by family. */
function known({ scene, told }: Played, federation: Federation, { families, purposes }: Vocabulary): string[] {
  if (scene.to !== '*' || told === undefined) return []
  const heads = [
    ['被查询城市', ...[...families.values()].map(({ zh }) => zh)],
    ['city asked', ...families.keys()],
  ]
  return scene.subjects.map((subject, at) => {
    const { kind } = readSubject(subject)
    const rows = told.peers.map(answer => [
      cityName(answer.peer, federation),
      ...[...families.keys()].map(family => count(answer, at, family, kind)),
    ])
    const [name] = told.peers.flatMap(({ results }) =>
      results[at]?.records.map(({ shared }) => shared.fields['holder']),
    )
    const purpose = purposes.get(scene.purpose)
    return `谁知道什么 who knows what: ${subject} ${typeof name === 'string' ? name : ''}
由${federation.city(scene.from).name.zh}查询，目的${purpose?.zh} asked by ${federation.city(scene.from).name.en} for ${purpose?.en.toLowerCase()}
${tableOf(heads, rows, 1)}`
  })
}

type Told = AskAnswer['peers'][number]

/** How many records of a family a city gives; whether there are any is not told apart from "none" where it cannot be known. */
function count(
  { outcome, reason, results, withheld = [], freshness = [] }: Told,
  at: number,
  family: string,
  kind: SubjectKind,
) {
  if (reason?.code.startsWith('agreement.')) return '·'
  const result = results[at]
  if (outcome !== 'answered' || result === undefined) return '?'
  const isClosed = withheld.some(each => each.family === family && 'kinds' in each && each.kinds.includes(kind))
  if (isClosed || !freshness.some(each => each.family === family)) return '·'
  const found = result.records.filter(({ shared }) => shared.family === family).length
  if (result.unknown?.some(each => each.family === family)) return found > 0 ? `${found}?` : '?'
  return found > 0 ? String(found) : '—'
}

/** What stands in the tables, in English: there is no room for both languages in their cells. */
function legend(played: readonly Played[], { purposes }: Vocabulary): string {
  const titled = played.filter(isTitled)
  const reasons = new Set(played.flatMap(({ exchanges }) => exchanges.flatMap(({ reason }) => reason ?? [])))
  const used = new Set(titled.map(({ scene }) => scene.purpose))
  return wrapped([
    '图例 legend: “—” 无可提供的记录 no record that may be given',
    '“?” 未知，不等于没有 unknown, which is not none',
    '“·” 无此约定 not agreed',
    'withheld 不提供的信息种类数 kinds of things kept back by rule',
    '已答复 answered',
    '未受理 refused',
    `${NOT_SENT} not sent: the asking city’s own gateway refused it`,
    ...[...used].map(purpose => `${purposes.get(purpose)?.zh} ${purpose}`),
    ...titled.map(({ scene }) => `${scene.title?.zh} ${scene.title?.en}`),
    ...[...reasons].map(reason => `${told.get(reason)?.zh} ${reason} ${told.get(reason)?.en ?? ''}`),
  ])
}

/** The first record that came over in a titled scene, in the words of the city that asked. */
function example(played: readonly Played[], federation: Federation): string {
  for (const { scene, told } of played.filter(isTitled)) {
    const record = told?.peers[0]?.results.flatMap(({ records }) => records)[0]
    if (record === undefined) continue
    const { local, shared } = record
    const assumed = told?.schema.assumed ? '（字段名为推定 field names assumed）' : ''
    const rows = Object.entries(local.columns).map(([column, text]) => [column, local.labels[column] ?? '', text])
    const [answering, asking] = [federation.city(scene.to).name, federation.city(scene.from).name]
    return `${answering.zh}的答复，以${asking.zh}的字段表示 ${answering.en}’s answer in the words of ${asking.en}
${local.title ?? shared.family}${assumed}
${tableOf([['字段 column', '含义 meaning', '内容 value']], rows)}`
  }
  return ''
}

/** A table that lines up for Chinese and Latin text alike; from column `numbers` on, to the right. */
function tableOf(
  heads: readonly (readonly string[])[],
  rows: readonly (readonly string[])[],
  numbers = Number.POSITIVE_INFINITY,
): string {
  const widths = heads[0]?.map((_, i) => Math.max(...[...heads, ...rows].map(row => stringWidth(row[i] ?? '')))) ?? []
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        const space = ' '.repeat((widths[i] ?? 0) - stringWidth(cell))
        return i >= numbers ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map(width => '─'.repeat(width)).join('  ')
  return [...heads.map(line), rule, ...rows.map(line)].join('\n')
}

/** As many to a line as fit. */
function wrapped(parts: readonly string[]): string {
  const lines: string[] = []
  for (const part of parts) {
    const longer = `${lines.at(-1)} · ${part}`
    if (lines.length > 0 && stringWidth(longer) <= WIDTH) lines[lines.length - 1] = longer
    else lines.push(part)
  }
  return lines.join('\n')
}
