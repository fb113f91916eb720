/** A process that appends without end, to be killed: it says which entries it was told are durable, one line each. */
import { setTimeout } from 'node:timers/promises'
import { openLedgerAt } from '#ledger/open.ts'
import { Refusal } from '#protocol/refusal.ts'
import { answered, signedAnswer } from './sample.ts'

const [place = ''] = process.argv.slice(2)
const ledger = await openLedgerAt(place, 'jiangyin')

async function lane(): Promise<never> {
  for (;;) {
    const sample = answered()
    const receipt = await ledger.append(sample.entry, sample.evidence).catch((fault: unknown) => {
      if (fault instanceof Refusal && fault.code === 'ledger.unavailable') return undefined
      throw fault
    })
    if (receipt === undefined) {
      await setTimeout(20)
      continue
    }
    process.stdout.write(`${JSON.stringify({ jti: sample.entry.jti, receipt })}\n`)
    ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
  }
}

await Promise.all(Array.from({ length: 48 }, lane))
