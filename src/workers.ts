/** One gateway in several processes behind one port: peers are answered by all workers, and everything else by their parent. */
import cluster, { type Worker } from 'node:cluster'
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Counts } from '#agreement/counts.ts'
import { type Gateway, logger, startGateway } from './gateway.ts'
import type { Settings } from './settings.ts'
import { countInFile } from './shared-counts.ts'

/** What a parent says to its workers, and they to it. */
const Order = z.discriminatedUnion('order', [
  z.strictObject({ order: z.enum(['metrics', 'end']) }),
  // The files as the parent took them up, and the digest by which it is known that they are the same.
  z.strictObject({ order: z.enum(['begin', 'reload']), folder: z.string(), digest: z.string() }),
])
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
  const { promise: told, resolve: end, reject: giveUp } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<Taken | undefined>()
  const { promise: opened, resolve: open } = Promise.withResolvers<Gateway>()
  // Listened to from the first moment: a parent that ends while we begin says so only once.
  const over = () => {
    begin(undefined)
    end()
  }
  process.once('disconnect', over)
  process.on('message', async message => {
    const said = Order.parse(message)
    if (said.order === 'end') return over()
    if (said.order === 'begin') return begin(said)
    const gateway = await opened
    if (said.order === 'metrics')
      return say({ said: 'metrics', metrics: z.array(Metric).parse(await gateway.metrics()) })
    // Whoever cannot go by what the others go by ends, and is begun anew.
    if (said.order === 'reload')
      await gateway
        .reload(said.folder)
        .then(() => expectSame(gateway, said))
        .catch(giveUp)
  })
  const taken = await begun
  if (taken === undefined) return
  await using counts = countInFile(countsOf(settings))
  await using gateway = await startGateway(settings, logger(settings), undefined, {
    outside: true,
    inside: false,
    counts,
    meaning: taken.folder,
  })
  expectSame(gateway, taken)
  open(gateway)
  say({ said: 'open', peersUrl: gateway.peersUrl })
  await told
  await gateway.close()
  leave()
}

type Taken = { readonly folder: string; readonly digest: string }

function expectSame(gateway: Gateway, { digest }: Taken): void {
  if (gateway.standing().digest !== digest) throw new Error('the configuration is not the one that the others go by')
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
 */
export async function startWorkers(settings: Settings, workers: number): Promise<Gateway> {
  const log = logger(settings)
  // Counts of an earlier run say no more than the ledger does.
  for (const end of ['', '-wal', '-shm']) rmSync(`${countsOf(settings)}${end}`, { force: true })
  await using opened = new AsyncDisposableStack()
  const counts: Counts = opened.use(countInFile(countsOf(settings)))
  const up = new Set<Worker>()
  const processes = () => ({ open: up.size, wanted: workers })
  const gateway = opened.use(
    await startGateway(settings, log, undefined, { outside: false, inside: true, counts, others: collect, processes }),
  )
  let taken = keep(settings, gateway)
  let ending = false
  // One that cannot begin ends as well, and is begun anew by that.
  const again = () =>
    void (ending || begin().catch((error: unknown) => log.error({ err: error }, 'a worker did not begin')))
  const begin = () => {
    const worker = cluster.fork()
    tell(worker, { order: 'begin', ...taken })
    worker.once('exit', (code, signal) => {
      up.delete(worker)
      if (ending) return
      log.error({ worker: worker.process.pid, code, signal }, 'a worker ended by itself')
      setTimeout(again, AGAIN).unref()
    })
    return opening(worker).then(url => {
      up.add(worker)
      return url
    })
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
      taken = keep(settings, gateway)
      for (const worker of running()) tell(worker, { order: 'reload', ...taken })
      return changed
    },
    standing: gateway.standing,
    transparency: gateway.transparency,
    metrics: gateway.metrics,
    peersUrl: urls[0] ?? '',
    insideUrl: gateway.insideUrl,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Keeps the files as they were taken up, for the workers: one that is begun later goes by what holds, whatever lies in the
 * folder by then. A file that changes while it is copied is found by the digest.
 */
function keep({ config, data }: Settings, gateway: Gateway): Taken {
  const { digest } = gateway.standing()
  const kept = join(data, 'taken')
  const folder = join(kept, digest)
  if (!existsSync(folder)) {
    cpSync(config, `${folder}.new`, { recursive: true })
    renameSync(`${folder}.new`, folder)
  }
  // The one before stays for a worker that is just reading it; older ones nobody needs.
  const old = readdirSync(kept).filter(name => name !== digest)
  for (const name of old.slice(0, -1)) rmSync(join(kept, name), { recursive: true, force: true })
  return { folder, digest }
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
