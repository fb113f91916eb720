/** A process that appends without end, to be killed: it says which entries it was told are durable, one line each. */
import { openLedger } from '#ledger/sqlite.ts'
import { answered, signedAnswer } from './sample.ts'

const [path = ''] = process.argv.slice(2)
const ledger = openLedger(path, 'jiangyin')

async function lane(): Promise<never> {
  for (;;) {
    const sample = answered()
    const receipt = await ledger.append(sample.entry, sample.evidence)
    process.stdout.write(`${JSON.stringify({ jti: sample.entry.jti, receipt })}\n`)
    ledger.keep(receipt.index, { answer: signedAnswer(sample, receipt) })
  }
}

await Promise.all(Array.from({ length: 48 }, lane))
