/** One gateway in several processes behind one port: peers are answered by all workers, and everything else by their parent. */
import cluster, { type Worker } from 'node:cluster'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Counts } from '#agreement/counts.ts'
import { type Gateway, logger, startGateway } from './gateway.ts'
import type { Settings } from './settings.ts'
import { countInFile } from './shared-counts.ts'

/** What a parent says to its workers, and they to it. */
const Order = z.strictObject({ order: z.enum(['metrics', 'reload', 'end']) })
const Metric = z.looseObject({})
const Said = z.discriminatedUnion('said', [
  z.strictObject({ said: z.literal('open'), peersUrl: z.url() }),
  z.strictObject({ said: z.literal('metrics'), metrics: z.array(Metric) }),
  z.strictObject({ said: z.literal('failed'), why: z.string() }),
])
type Order = z.infer<typeof Order>
type Said = z.infer<typeof Said>

/** Milliseconds after which a worker that ended by itself is begun anew. */
const AGAIN = 1_000
/** How long a worker may take to say what it has counted; milliseconds. */
const PATIENCE = 2_000

/** In a worker: serves peers with the parent's port and counts until it is told to end, or has no parent any more. */
export async function work(settings: Settings): Promise<void> {
  const { promise: told, resolve: end } = Promise.withResolvers<void>()
  const { promise: opened, resolve: open } = Promise.withResolvers<Gateway>()
  // Listened to from the first moment: a parent that ends while we begin says so only once.
  process.once('disconnect', end)
  process.on('message', async message => {
    const { order } = Order.parse(message)
    if (order === 'end') return end()
    const gateway = await opened
    if (order === 'metrics') return say({ said: 'metrics', metrics: z.array(Metric).parse(await gateway.metrics()) })
    await gateway.reload().catch(() => undefined)
  })
  await using counts = countInFile(countsOf(settings))
  const gateway = await startGateway(settings, logger(settings), undefined, { outside: true, inside: false, counts })
  open(gateway)
  say({ said: 'open', peersUrl: gateway.peersUrl })
  await told
  await gateway.close()
  leave()
}

/** In a worker: tells the parent why it could not begin, and lets go of it. */
export function failed(why: string): void {
  say({ said: 'failed', why }, leave)
}

function leave(): void {
  if (process.connected) process.disconnect?.()
}

/** Whoever is gone is not told, and that is no fault of ours. */
function say(said: Said, after: () => void = () => undefined): void {
  if (process.connected) process.send?.(said, undefined, undefined, after)
}

/**
 * In the parent: serves departments, staff and operations, and has `workers` processes answer the peers. Throws what
 * `startGateway` throws, and what keeps the first workers from starting; a worker that ends later is begun anew.
 * `arguments_` are the words with which this program becomes a worker.
 */
export async function startWorkers(settings: Settings, workers: number): Promise<Gateway> {
  const log = logger(settings)
  // Counts of an earlier run say no more than the ledger does.
  for (const end of ['', '-wal', '-shm']) rmSync(`${countsOf(settings)}${end}`, { force: true })
  await using opened = new AsyncDisposableStack()
  const counts: Counts = opened.use(countInFile(countsOf(settings)))
  const gateway = opened.use(
    await startGateway(settings, log, undefined, { outside: false, inside: true, counts, others: collect }),
  )
  let ending = false
  // One that cannot begin ends as well, and is begun anew by that.
  const again = () =>
    void (ending || begin().catch((error: unknown) => log.error({ err: error }, 'a worker did not begin')))
  const begin = () => {
    const worker = cluster.fork()
    worker.once('exit', (code, signal) => {
      if (ending) return
      log.error({ worker: worker.process.pid, code, signal }, 'a worker ended by itself')
      setTimeout(again, AGAIN).unref()
    })
    return opening(worker)
  }
  opened.defer(async () => {
    ending = true
    await Promise.all(running().map(ended))
  })
  const urls = await Promise.all(Array.from({ length: workers }, begin))
  const whole = opened.move()
  const close = () => whole.disposeAsync()
  return {
    get city() {
      return gateway.city
    },
    async reload() {
      // The parent first: what it refuses, no worker is told of.
      const changed = await gateway.reload()
      for (const worker of running()) tell(worker, { order: 'reload' })
      return changed
    },
    transparency: gateway.transparency,
    metrics: gateway.metrics,
    peersUrl: urls[0] ?? '',
    insideUrl: gateway.insideUrl,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function countsOf({ data }: Settings): string {
  return join(data, 'counts.sqlite')
}

function running(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(worker => worker !== undefined)
}

function tell(worker: Worker, order: Order): void {
  if (worker.isConnected()) worker.send(order, () => undefined)
}

/** The address at which a worker serves; rejects where it ends before it does. */
function opening(worker: Worker): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  worker.on('message', message => {
    const said = Said.parse(message)
    if (said.said === 'open') resolve(said.peersUrl)
    if (said.said === 'failed') reject(new Error(said.why))
  })
  worker.once('exit', code => reject(new Error(`a worker ended with ${code}`)))
  return promise
}

/** Lets a worker answer what it has in hand. */
function ended(worker: Worker): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  worker.once('exit', () => resolve())
  tell(worker, { order: 'end' })
  return promise
}

/** What the workers have counted; one that does not say so in time is left out. */
async function collect(): Promise<readonly object[]> {
  const each = running().map(worker => {
    const { promise, resolve } = Promise.withResolvers<readonly object[] | undefined>()
    const listen = (message: unknown) => {
      const said = Said.parse(message)
      if (said.said === 'metrics') resolve(said.metrics)
    }
    worker.on('message', listen)
    const timer = setTimeout(() => resolve(undefined), PATIENCE)
    tell(worker, { order: 'metrics' })
    return promise.finally(() => {
      clearTimeout(timer)
      worker.off('message', listen)
    })
  })
  return (await Promise.all(each)).filter(metrics => metrics !== undefined)
}
