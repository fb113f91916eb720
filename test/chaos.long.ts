/** `npm run -s chaos -- --json [--kills N]`: what three gateways on one PostgreSQL lose when any of them is killed: nothing. */
import { parseArgs } from 'node:util'
import { chaos } from './chaos.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, kills: { type: 'string', default: '20' } },
})
const outcome = await chaos(Number(values.kills))
if (values.json) console.log(JSON.stringify(outcome))
else for (const [name, value] of Object.entries(outcome)) console.log(`${name.padEnd(16)}${value}`)
const { lost, answered_twice: twice, tree_gaps: gaps, max_recovery_s: recovery } = outcome
process.exitCode = lost + twice + gaps === 0 && recovery <= 5 ? 0 : 1
