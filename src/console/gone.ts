/** Why signed texts are not there is said in the same words wherever somebody looks for them: never kept, let go in time, or missing. */
import type { City } from '#exchange/city.ts'
import { lettingGo } from '#exchange/signed-texts.ts'
import type { Entry } from '#ledger/entry.ts'
import type { Recorded } from '#ledger/ledger.ts'
import type { Said } from '#protocol/said.ts'
import { dayOf } from './shown.ts'

/** For an entry of which nothing is held. */
export async function whyGone({ entry, receipt }: Recorded, { ledger, now }: City): Promise<Said> {
  const until = untilOf(entry)
  if (until === undefined) return goneSaid(entry, false)
  const isLetGo = Date.parse(until) <= now() && (await lettingGo(ledger))(receipt.index)
  return goneSaid(entry, !isLetGo)
}

/** The same, where it is known whether anything was to be there: what the ledger does not let go is missing. */
export function goneSaid(entry: Entry, isMissing: boolean): Said {
  const until = untilOf(entry)
  if (until === undefined) {
    return {
      zh: '写入这一条时没有保存签名原文，条目中只有摘要；摘要仍然有效。',
      en: 'No signed texts were kept with this entry, which holds their digests alone; these still hold.',
    }
  }
  const day = dayOf(until)
  return isMissing
    ? {
        zh: `签名原文应保存至 ${day}，现在缺失：请点“核验”，并告知运维人员。`,
        en: `The signed texts were to be held until ${day} and are missing: verify this entry, and tell operations.`,
      }
    : {
        zh: `签名原文保存至 ${day}，期满后已删除，条目中只留下摘要；摘要仍然有效。`,
        en: `The signed texts were held until ${day} and then let go; the entry keeps their digests, which still hold.`,
      }
}

function untilOf(entry: Entry): string | undefined {
  return 'heldUntil' in entry ? entry.heldUntil : undefined
}
