/** One gateway in several processes behind one port: peers are answered by all workers, and everything else by their parent. */
import cluster, { type Worker } from 'node:cluster'
import { randomUUIDv7 } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { z } from 'zod'
import type { Counts } from '#agreement/counts.ts'
import { digest, sha256 } from '#protocol/canonical.ts'
import { copyMeaning } from './configuration.ts'
import { type Gateway, logger, startGateway } from './gateway.ts'
import type { Settings } from './settings.ts'
import { countInFile } from './shared-counts.ts'

/** What a parent says to its workers, and they to it. */
const Order = z.discriminatedUnion('order', [
  z.strictObject({ order: z.enum(['metrics', 'end']) }),
  // The folder that the parent took up: the worker reads it from there, and says when it has.
  z.strictObject({ order: z.enum(['begin', 'reload']), folder: z.string() }),
])
const Metric = z.looseObject({})
const Said = z.discriminatedUnion('said', [
  z.strictObject({ said: z.literal('open'), peersUrl: z.url() }),
  z.strictObject({ said: z.literal('taken'), folder: z.string() }),
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
  const { promise: begun, resolve: begin } = Promise.withResolvers<string | undefined>()
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
    if (said.order === 'begin') return begin(said.folder)
    const gateway = await opened
    if (said.order === 'metrics')
      return say({ said: 'metrics', metrics: z.array(Metric).parse(await gateway.metrics()) })
    // Whoever cannot go by what the others go by ends, and is begun anew.
    if (said.order === 'reload')
      await gateway
        .reload(() => said.folder)
        .then(() => tookUp(said.folder))
        .catch(giveUp)
  })
  const folder = await begun
  if (folder === undefined) return
  await using counts = countInFile(countsOf(settings))
  await using gateway = await startGateway(settings, logger(settings), undefined, {
    outside: true,
    inside: false,
    counts,
    meaning: folder,
  })
  tookUp(folder)
  open(gateway)
  say({ said: 'open', peersUrl: gateway.peersUrl })
  await told
  await gateway.close()
  leave()
}

/** Tells the parent that a folder was read; throws where its files are not those any more that the parent took up. */
function tookUp(folder: string): void {
  if (!folder.endsWith(digestOf(folder))) throw new Error('the configuration is not the one that the others go by')
  say({ said: 'taken', folder })
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
  let taken = keep(settings)
  /** Folders that held before, until each worker has said that it goes by the one that holds. */
  const before = new Set<string>()
  const goesBy = new WeakMap<Worker, string>()
  const remove = (folder: string) => {
    try {
      rmSync(folder, { recursive: true, force: true })
    } catch (error) {
      log.warn({ err: error, folder }, 'a copy of the configuration could not be removed')
    }
  }
  const tidy = () => {
    if (!running().every(worker => goesBy.get(worker) === taken)) return
    for (const folder of before) remove(folder)
    before.clear()
  }
  opened.defer(() => [taken, ...before].forEach(remove))
  const processes = () => ({ open: up.size, wanted: workers })
  const gateway = opened.use(
    await startGateway(settings, log, undefined, {
      outside: false,
      inside: true,
      counts,
      others: collect,
      processes,
      meaning: taken,
    }),
  )
  // What a parent that was killed has left.
  for (const left of keptIn(settings)) if (left !== taken) remove(left)
  let ending = false
  // One that cannot begin ends as well, and is begun anew by that.
  const again = () =>
    void (ending || begin().catch((error: unknown) => log.error({ err: error }, 'a worker did not begin')))
  const begin = () => {
    const worker = cluster.fork()
    tell(worker, { order: 'begin', folder: taken })
    worker.on('message', message => {
      const said = Said.parse(message)
      if (said.said === 'failed') log.error({ worker: worker.process.pid, why: said.why }, 'a worker gives up')
      if (said.said !== 'taken') return
      goesBy.set(worker, said.folder)
      tidy()
    })
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
      let folder = ''
      try {
        // The parent first: what it refuses, no worker is told of.
        const changed = await gateway.reload(() => (folder = keep(settings)))
        before.add(taken)
        taken = folder
        for (const worker of running()) tell(worker, { order: 'reload', folder })
        return changed
      } catch (error) {
        if (folder !== '') remove(folder)
        throw error
      }
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
 * Copies what is taken up at a reload into a folder of its own, and gives that. The parent reads it from there, and so does every
 * worker, whenever it begins: all go by the same bytes, whatever becomes of the files meanwhile. The name ends with their digest.
 */
function keep({ config, data }: Settings): string {
  const copy = join(data, KEPT, 'copy')
  rmSync(copy, { recursive: true, force: true })
  copyMeaning(config, copy)
  const folder = join(data, KEPT, `${randomUUIDv7()}.${digestOf(copy)}`)
  renameSync(copy, folder)
  return folder
}

const KEPT = 'taken'

function keptIn({ data }: Settings): string[] {
  return readdirSync(join(data, KEPT)).map(name => join(data, KEPT, name))
}

/** Digest of the paths and bytes of all files in a folder. */
function digestOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(each => each.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  return digest(Object.fromEntries(paths.map(path => [relative(folder, path), sha256(readFileSync(path))])))
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
