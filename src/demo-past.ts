/** A demo that begins now has a yesterday as well, so that there is something to look back on; its entries name no real enterprise. */
import { randomUUIDv7 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agreement } from '#agreement/agreement.ts'
import type { Entry } from '#ledger/entry.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { digest, sha256 } from '#protocol/canonical.ts'
import { startOfDay } from '#protocol/day.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { readSubject } from '#protocol/subject.ts'
import type { Settings } from './settings.ts'

const DAY = 86_400_000
const MINUTE = 60_000
const FIRST = '91320281XXXXXX0197'
const SECOND = '91320281XXXXXX0272'

type Past = {
  readonly peer: string
  readonly agreement: string
  readonly purpose: string
  readonly matter: string
  readonly subjects: readonly string[]
  readonly refused?: RefusalCode
}

const huizhou = { peer: 'huizhou', agreement: 'jiangyin-huizhou-2026' }
const delta = (peer: string) => ({ peer, agreement: 'yangtze-delta-2026' })
/** What Jiangyin was asked on a day, in its order. */
const asked: readonly Past[] = [
  { ...huizhou, purpose: 'tendering', matter: '惠招〔2026〕101号', subjects: [FIRST] },
  { ...delta('ningbo'), purpose: 'tendering', matter: '甬招〔2026〕55号', subjects: [FIRST, SECOND] },
  { ...huizhou, purpose: 'procurement', matter: '惠采〔2026〕31号', subjects: [SECOND] },
  { ...huizhou, purpose: 'awards', matter: '惠评〔2026〕7号', subjects: [FIRST], refused: 'agreement.purpose' },
  { ...delta('suqian'), purpose: 'tendering', matter: '宿招〔2026〕18号', subjects: [FIRST] },
  { ...delta('quzhou'), purpose: 'tendering', matter: '衢招〔2026〕9号', subjects: [SECOND] },
]

/**
 * Enters the questions of yesterday and of the day before into the ledger of Jiangyin, at office hours of Asia/Shanghai. They
 * come without evidence, for nobody signed them. `now` is epoch milliseconds.
 */
export async function rememberYesterday({ city, ledger: path, config }: Settings, now: number): Promise<void> {
  await using ledger = openLedger(path, city)
  for (const days of [2, 1]) {
    const morning = startOfDay(now) - days * DAY + 9 * 60 * MINUTE
    for (const [i, each] of asked.entries()) {
      // One was refused yesterday, and none the day before: whoever looks for it finds one.
      if (each.refused !== undefined && days > 1) continue
      await ledger.append(entryOf(each, city, config, morning + i * 47 * MINUTE))
    }
  }
}

function entryOf({ agreement, refused, subjects, ...said }: Past, city: string, config: string, at: number): Entry {
  const file = join(config, 'agreements', `${agreement}.json`)
  const text = Agreement.parse(JSON.parse(readFileSync(file, 'utf8')))
  const jti = randomUUIDv7()
  const common = {
    ...said,
    city,
    at: new Date(at).toISOString(),
    jti,
    agreement: { id: agreement, digest: digest(text) },
    subjects: subjects.map(subject => readSubject(subject).uscc),
    questionHash: sha256(jti),
  }
  if (refused !== undefined) return { kind: 'refused', ...common, code: refused }
  return {
    kind: 'answered',
    ...common,
    status: subjects.map(() => 'answered' as const),
    disclosed: { licence: { fields: ['holder', 'kind', 'number', 'validUntil'], records: subjects.map(() => 1) } },
    withheldDigest: sha256('demo'),
    answerDigest: sha256(`${jti} answer`),
  }
}
