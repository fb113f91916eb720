/** What more processes, and PostgreSQL under the ledger, make of the throughput: each against one process with a file, in turn. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import postgres from 'postgres'
import { z } from 'zod'
import { startPostgres } from '../test/source/postgres.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    questions: { type: 'string', default: '10000' },
  },
})
/** Of the machine; what the load generator takes of them is not there for the gateway. */
const CORES = 2

const Figures = z.object({
  query_cpu_us: z.number(),
  queries_per_s: z.number(),
  server_cores: z.number(),
  generator_cores: z.number(),
})
type Figures = z.infer<typeof Figures>
const run = promisify(execFile)

async function take(...words: string[]): Promise<Figures> {
  const program = join(import.meta.dirname, 'exchange.ts')
  const few = ['--json', '--questions', values.questions, '--batches', '10']
  const { stdout } = await run(process.execPath, [program, ...few, ...words])
  return Figures.parse(JSON.parse(stdout))
}

const one: Figures[] = []
const two: Figures[] = []
const shared: Figures[] = []
const server = await startPostgres()
try {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    one.push(await take())
    two.push(await take('--workers', '2'))
    const schema = `bench_${round}`
    const sql = postgres(server.url, { max: 1 })
    await sql.unsafe(`CREATE SCHEMA ${schema}`)
    await sql.end()
    shared.push(await take('--ledger', `${server.url}?search_path=${schema}`))
  }
} finally {
  await server.remove()
}

/** Questions a second for each processor that was left to the gateway. */
const each = ({ queries_per_s, generator_cores }: Figures) => queries_per_s / (CORES - generator_cores)
const perCore = ({ queries_per_s, server_cores }: Figures) => queries_per_s / Math.min(1, server_cores)
const figures = {
  one_per_s: middle(one, ({ queries_per_s }) => queries_per_s),
  two_per_s: middle(two, ({ queries_per_s }) => queries_per_s),
  two_over_one: middle(two, ({ queries_per_s }) => queries_per_s) / middle(one, ({ queries_per_s }) => queries_per_s),
  /** Two processors' worth of two workers, against one processor's worth of one. */
  two_over_one_less_generator: (CORES * middle(two, each)) / middle(one, perCore),
  one_cpu_us: middle(one, ({ query_cpu_us }) => query_cpu_us),
  two_cpu_us: middle(two, ({ query_cpu_us }) => query_cpu_us),
  postgres_cpu_us: middle(shared, ({ query_cpu_us }) => query_cpu_us),
  postgres_per_s: middle(shared, ({ queries_per_s }) => queries_per_s),
}
const rounded = Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, Number(figure.toFixed(2))]))
if (values.json) console.log(JSON.stringify(rounded))
else for (const [name, figure] of Object.entries(rounded)) console.log(`${name.padEnd(30)}${figure}`)

function middle(all: readonly Figures[], of: (figures: Figures) => number): number {
  const sorted = all.map(of).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
