/** `xinqiao ledger hold|release|holds`: what a court or an inquiry needs is kept beyond its days, and it is known by whose word. */
import { openLedgerAt } from '#ledger/open.ts'
import { holdsOf } from '#ledger/retention.ts'
import { startOfDay } from '#protocol/day.ts'
import { Code } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { holdsPersonalNumber, maskPersonalNumbers, readSubject, type Uscc } from '#protocol/subject.ts'
import { daysIn, type Exit, Failure, needed, parse, settingsFrom, Usage } from './words.ts'

const DAY = 86_400_000

/** Runs `hold`, `release` or `holds`; the words are those behind `ledger`. While gateways run as well as at rest. */
export async function holdCommand(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    env: option,
    by: option,
    reason: option,
    subject: { type: 'string', multiple: true },
    from: option,
    to: option,
    json: { type: 'boolean' },
  })
  const [action, hold, ...rest] = positionals
  const settings = settingsFrom(values)
  await using ledger = await openLedgerAt(settings.ledger, settings.city, settings)
  const holds = await holdsOf(ledger)
  if (action === 'holds') {
    if (hold !== undefined) throw new Usage({ form: 'ledger holds' })
    if (values['json'] === true) console.log(JSON.stringify([...holds.values()]))
    for (const each of values['json'] === true ? [] : holds.values()) {
      const about = each.subjects?.join(' ') ?? '全部主体 all subjects'
      const time = `${each.from ?? '…'} — ${each.until ?? '…'}`
      console.log(`${each.hold}  ${each.at}  ${each.staff}\n  ${about}\n  ${time}\n  ${each.reason}`)
    }
    if (holds.size === 0 && values['json'] !== true) console.log('没有保全 no hold is in force')
    return 0
  }
  if (hold === undefined || rest.length > 0 || !(isName(hold) || holds.has(hold)))
    throw new Usage({
      zh: `ledger ${action} NAME：字母、数字、点和连字符，以小写字母或数字开头，不得含有个人号码`,
      en: `ledger ${action} NAME: letters, digits, dots and hyphens, a small letter or a digit first, no number of a person`,
    })
  if ((action === 'hold') === holds.has(hold)) {
    const [zh, en] =
      action === 'hold' ? ['已有此保全', 'there is such a hold'] : ['没有此保全', 'there is no such hold']
    throw new Failure(
      { zh: `${zh}：${hold}`, en: `${en}: ${hold}` },
      { zh: '`xinqiao ledger holds` 列出有效的保全', en: '`xinqiao ledger holds` lists those in force' },
    )
  }
  const entry = {
    kind: 'held' as const,
    at: new Date().toISOString(),
    city: settings.city,
    staff: said(values, 'by', 80),
    hold,
    reason: said(values, 'reason', 400),
  }
  if (action === 'release') await ledger.append({ ...entry, action: 'lifted' })
  else await ledger.append({ ...entry, action: 'placed', ...scopeOf(values) })
  console.log(`${action === 'release' ? '已解除 lifted' : '已保全 held'}: ${hold}`)
  return 0
}

/** Whether a hold may be named so: by a word that the ledger's entries take, and by nobody's number. */
function isName(hold: string): boolean {
  return Code.safeParse(hold).success && !holdsPersonalNumber(hold)
}

/** A text for the ledger, without the numbers of persons, of not more than so many characters. */
function said(values: Readonly<Record<string, unknown>>, name: string, most: number): string {
  const text = maskPersonalNumbers(needed(values, name))
  if (text.length === 0 || text.length > most)
    throw new Usage({ zh: `--${name} 为 1 至 ${most} 个字符`, en: `--${name} has 1 to ${most} characters` })
  return text
}

/** What was typed is never said again: it may be the number of a person. */
function subject(code: string): Uscc {
  try {
    return readSubject(code).uscc
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new Failure(
      { zh: `--subject：${error.public.zh}`, en: `--subject: ${error.public.en}` },
      { zh: '填企业的统一社会信用代码', en: 'give the unified social credit code of a firm' },
    )
  }
}

/** Of which subjects and days, both in Asia/Shanghai and included; what is not named is not narrowed. */
function scopeOf(values: Readonly<Record<string, unknown>>) {
  const named = Array.isArray(values['subject']) ? values['subject'].map(String) : []
  const { from, to } = daysIn(values)
  return {
    ...(named.length > 0 && { subjects: named.map(subject) }),
    ...(from !== undefined && { from: new Date(beginOf(from)).toISOString() }),
    ...(to !== undefined && { until: new Date(beginOf(to) + DAY).toISOString() }),
  }
}

/** The first instant of a day in Asia/Shanghai, epoch milliseconds. */
function beginOf(day: string): number {
  return startOfDay(Date.parse(`${day}T04:00:00Z`))
}
