/**
 * A million broken messages through the parser and the verifier (fuzz.ts), to be run by hand:
 * `npm run -s fuzz -- --messages N --seed S --json`. Ends with status 1 where one was accepted, was no refusal, was slow, or
 * where memory grew.
 */
import { parseArgs } from 'node:util'
import { fuzz, GROWTH } from './fuzz.ts'
import { messages } from './messages.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '20261122' },
    json: { type: 'boolean', default: false },
  },
})
const report = await fuzz(await messages(), Number(values.messages), Number(values.seed), (done, bytes) =>
  console.error(`${done} messages, ${(bytes / 1048576).toFixed(1)} MiB in use`),
)
console.log(values.json ? JSON.stringify(report) : report)
process.exitCode = report.violations.length > 0 || report.memory.growth > GROWTH ? 1 : 0
