/** `xinqiao ledger hold|release|holds`: what a court or an inquiry needs is kept beyond its days, and it is known by whose word. */
import { openLedgerAt } from '#ledger/open.ts'
import { holdsOf } from '#ledger/retention.ts'
import { startOfDay } from '#protocol/day.ts'
import { maskPersonalNumbers, readSubject } from '#protocol/subject.ts'
import { type Exit, Failure, needed, optional, parse, settingsFrom, Usage } from './words.ts'

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
    if (hold !== undefined) throw new Usage('ledger holds')
    if (values['json'] === true) console.log(JSON.stringify([...holds.values()]))
    for (const each of values['json'] === true ? [] : holds.values()) {
      const about = each.subjects?.join(' ') ?? '全部主体 all subjects'
      const time = `${each.from ?? '…'} — ${each.until ?? '…'}`
      console.log(`${each.hold}  ${each.at}  ${each.staff}\n  ${about}\n  ${time}\n  ${each.reason}`)
    }
    if (holds.size === 0 && values['json'] !== true) console.log('没有保全 no hold is in force')
    return 0
  }
  if (hold === undefined || rest.length > 0 || !/^[a-z0-9][a-z0-9.-]{0,63}$/.test(hold))
    throw new Usage(`ledger ${action} NAME`)
  if ((action === 'hold') === holds.has(hold)) {
    const state = action === 'hold' ? '已有此保全 there is such a hold' : '没有此保全 there is no such hold'
    throw new Failure(`${state}: ${hold}`, '`xinqiao ledger holds` lists those in force')
  }
  const said = {
    kind: 'held' as const,
    at: new Date().toISOString(),
    city: settings.city,
    staff: maskPersonalNumbers(needed(values, 'by')),
    hold,
    reason: maskPersonalNumbers(needed(values, 'reason')),
  }
  if (action === 'release') await ledger.append({ ...said, action: 'lifted' })
  else await ledger.append({ ...said, action: 'placed', ...scopeOf(values) })
  console.log(`${action === 'release' ? '已解除 lifted' : '已保全 held'}: ${hold}`)
  return 0
}

/** Of which subjects and days, both in Asia/Shanghai and included; what is not named is not narrowed. */
function scopeOf(values: Readonly<Record<string, unknown>>) {
  const named = Array.isArray(values['subject']) ? values['subject'].map(String) : []
  const [from, to] = [instantOf(optional(values, 'from')), instantOf(optional(values, 'to'))]
  return {
    ...(named.length > 0 && { subjects: named.map(code => readSubject(code).uscc) }),
    ...(from !== undefined && { from: new Date(from).toISOString() }),
    ...(to !== undefined && { until: new Date(to + DAY).toISOString() }),
  }
}

function instantOf(day: string | undefined): number | undefined {
  if (day === undefined) return undefined
  const noon = Date.parse(`${day}T04:00:00Z`)
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(day) || Number.isNaN(noon)) throw new Usage('a day is written 2026-11-22')
  return startOfDay(noon)
}
