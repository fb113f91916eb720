/** What somebody looked for is said in words: the ledger keeps it as an address, which nobody should have to read. */
import { isRefusalCode, refusals } from '#protocol/refusal.ts'
import type { Visit } from './desk.ts'
import type { Typed } from './log-filter.ts'
import { cityName, departmentName, purposeName } from './shown.ts'
import { words as shared, spoken } from './words.ts'

/**
 * Takes what a staff entry keeps as `filter` (`purpose=tendering&from=2026-11-22`, values masked); gives it as the forms of the
 * console name it: `目的：招标投标；起始时间：2026-11-22`. Of an answer to an alert, which stands there too, it gives the reason;
 * what is neither, or of a later version, is given as it stands.
 */
export function soughtOf(filter: string, c: Visit): string {
  const t = words[c.get('language')]
  // An address has no blanks.
  const [, reason] = /^\S+: (.+)$/s.exec(filter) ?? []
  if (reason !== undefined) return reason
  const pairs = [...new URLSearchParams(filter)]
  const said = pairs.flatMap(([name, value]) => (isSought(name) ? [t.is(t[name], saidOf(name, value, c))] : []))
  return said.length === pairs.length ? said.join(t.and) : filter
}

/** What a log page is narrowed to, without the names of the fields where the value says it: `2026-11-21 · 未受理 · 惠州市`. */
export function narrowedTo({ from, until, matter, ...same }: Typed, c: Visit): string {
  const t = words[c.get('language')]
  const [begin, end] = [from, until].map(each => each?.replace('T', ' '))
  const time =
    begin === undefined
      ? end === undefined
        ? []
        : [t.upTo(end)]
      : [end === undefined ? t.since(begin) : begin === end ? begin : t.between(begin, end)]
  const values = (['outcome', 'peer', 'purpose', 'department', 'subject'] as const).flatMap(name => {
    const value = same[name]
    return value === undefined ? [] : [saidOf(name, value, c)]
  })
  return [...time, ...values, ...(matter === undefined ? [] : [t.matterWith(matter)])].join(' · ')
}

function saidOf(name: keyof typeof sought, value: string, c: Visit): string {
  const language = c.get('language')
  const t = words[language]
  switch (name) {
    case 'peer':
    case 'city':
      return value === '*' ? t.allCities : cityName(value, c)
    case 'purpose':
      return purposeName(value, c)
    case 'department':
      return departmentName(value, c)
    case 'outcome': {
      if (isRefusalCode(value)) return refusals[value][language]
      const outcome = `is-${value}`
      return isOutcome(outcome) ? t[outcome] : value
    }
    case 'from':
    case 'until':
      return value.replace('T', ' ')
    case 'format':
      return value === 'jsonl' ? 'JSON Lines' : value.toUpperCase()
    default:
      return value
  }
}

const sought = {
  from: { zh: '起始时间', en: 'From' },
  until: { zh: '截止时间', en: 'Until' },
  peer: { zh: '城市', en: 'City' },
  purpose: { zh: '目的', en: 'Purpose' },
  department: { zh: '部门', en: 'Department' },
  matter: { zh: '事由', en: 'Matter' },
  outcome: { zh: '结果', en: 'Outcome' },
  subject: { zh: '主体代码', en: 'Subject' },
  format: { zh: '文件格式', en: 'Format' },
  report: { zh: '报告编号', en: 'Report' },
  city: { zh: '城市', en: 'City' },
  seen: { zh: '已见矛盾数', en: 'Contradictions seen' },
} as const

const outcomes = {
  'is-answered': { zh: shared.zh.answered, en: shared.en.answered },
  'is-refused': { zh: shared.zh.refused, en: shared.en.refused },
  'is-unknown': { zh: shared.zh.unknown, en: shared.en.unknown },
  'is-declined': { zh: '本市未发出', en: 'Not sent' },
  'is-reported': { zh: '已出具报告', en: 'Report made' },
  'is-sent': { zh: '已发出', en: 'Sent' },
} as const

function isSought(name: string): name is keyof typeof sought {
  return Object.hasOwn(sought, name)
}

function isOutcome(name: string): name is keyof typeof outcomes {
  return Object.hasOwn(outcomes, name)
}

const words = spoken({
  ...sought,
  ...outcomes,
  is: (name: string, value: string) => ({ zh: `${name}：${value}`, en: `${name}: ${value}` }),
  and: { zh: '；', en: '; ' },
  since: (at: string) => ({ zh: `${at} 起`, en: `since ${at}` }),
  upTo: (at: string) => ({ zh: `至 ${at}`, en: `until ${at}` }),
  between: (from: string, until: string) => ({ zh: `${from} 至 ${until}`, en: `${from} to ${until}` }),
  matterWith: (part: string) => ({ zh: `事由含“${part}”`, en: `matter with “${part}”` }),
  allCities: { zh: '所有城市', en: 'All cities' },
})
