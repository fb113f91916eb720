/** `xinqiao ledger proof|contradictions|acknowledge`: what the log proves, what was found of other logs, and who knows of it. */
import { writeFileSync } from 'node:fs'
import { acknowledge } from '#exchange/witness.ts'
import type { Contradiction } from '#ledger/log.ts'
import { openLogStoreAt } from '#ledger/open.ts'
import { proofOf } from '#ledger/proof.ts'
import type { Fault } from '#protocol/fault.ts'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import { readMembers } from '#trust/members.ts'
import { cityId, type Exit, Failure, needed, optional, parse, settingsFrom, Usage } from './words.ts'

/** Runs `proof`, `contradictions` or `acknowledge`; the words are those behind `ledger`. */
export async function ledgerLog(words: string[]): Promise<Exit> {
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    env: option,
    out: option,
    by: option,
    json: { type: 'boolean' },
  })
  const [action, word] = positionals
  const settings = settingsFrom(values)
  await using store = await openLogStoreAt(settings.ledger)
  switch (action) {
    case 'proof': {
      if (word === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(word)) throw new Usage({ form: 'ledger proof INDEX' })
      const text = await proofOf(store, Number(word)).catch(error => {
        if (!(error instanceof RangeError)) throw error
        throw new Failure(
          { zh: `没有覆盖条目 ${word} 的检查点`, en: `no checkpoint covers entry ${word}` },
          { zh: '网关运行时每秒签署一个检查点', en: 'a running gateway signs one each second' },
        )
      })
      const out = optional(values, 'out')
      if (out === undefined) process.stdout.write(text)
      else writeFileSync(out, text, { flag: 'wx' })
      return 0
    }
    case 'contradictions': {
      const found = await store.contradictions()
      if (values['json'] === true) console.log(JSON.stringify(found))
      else {
        for (const each of found) console.log(inWords(each))
        if (found.length === 0) console.log('未发现矛盾 no contradiction was found')
      }
      return found.every(({ acknowledged }) => acknowledged !== undefined) ? 0 : 1
    }
    case 'acknowledge': {
      if (word === undefined) throw new Usage({ form: 'ledger acknowledge CITY --by NAME' })
      const city = cityId(word)
      if (city === settings.city) {
        throw new Failure(
          { zh: '本市日志的矛盾不能以确认了结', en: 'ours is not put right by acknowledging' },
          { zh: '换上最新的日志', en: 'bring back the newest ledger' },
        )
      }
      const faults: Fault[] = []
      const members = await readMembers(settings, Date.now, faults)
      const member = members?.all.find(({ id }) => id === city)
      const by = maskPersonalNumbers(needed(values, 'by'))
      const found = await store.contradictions(city)
      for (const each of found) if (each.acknowledged === undefined) console.log(inWords(each))
      const count = await acknowledge({ store, by, at: new Date().toISOString() }, city, found.length, member)
      console.log(`${count} 项已确认 acknowledged`)
      return 0
    }
    default:
      throw new Usage({ form: 'ledger proof|contradictions|acknowledge' })
  }
}

function inWords({ city, name, at, detail, acknowledged }: Contradiction): string {
  const mark =
    acknowledged === undefined ? '未确认 stands' : `已确认 acknowledged  ${acknowledged.by}  ${acknowledged.at}`
  return `${at}  ${city}  ${name}  ${mark}\n  ${detail}`
}
