/** A throw-away federation in a folder: authority, members, keys, signed agreements and each city's tables, ready to be served. */
import { createPrivateKey, randomInt } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { formatted, readAgreement, signAgreement } from '#agreement/agreement.ts'
import { createLedger } from '#ledger/sqlite.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { issueKey } from '#trust/departments.ts'
import type { Algorithm } from '#trust/jws.ts'
import { type Keys, newLogKey, signerOf } from '#trust/keys.ts'
import { jsonFiles, type Members, readMembers } from '#trust/members.ts'
import { newEncryptionKey } from '#trust/seal.ts'
import { OFFICE } from '#trust/statement.ts'
import { type Authority, makeAuthority } from './authority.ts'
import { fillSqlite, readTables } from './demo-tables.ts'
import { type OfficePlaces, signRoll } from './office.ts'
import { readSettings, type Settings } from './settings.ts'

/** The repository itself: where the shipped configuration and the demo's tables are. */
export const home = join(import.meta.dirname, '..')

type DemoCity = {
  readonly id: string
  readonly name: { readonly zh: string; readonly en: string }
  /** Its environment, from which a gateway of its own can be started. */
  readonly environment: Readonly<Record<string, string>>
  readonly settings: Settings
  /** A department key for every purpose of its agreements. */
  readonly departmentKey: string
}

/** Changes an agreement's text in its place. */
type Edit = (agreement: Record<string, unknown>) => void

export type Federation = {
  readonly folder: string
  readonly cities: readonly DemoCity[]
  city(id: string): DemoCity
  /** Has all parties sign all agreements anew, each changed by `edit` first. */
  agree(edit?: Edit): Promise<void>
  /** Where its office signs, and who certifies: for whoever lets a federation change. */
  readonly office: OfficePlaces
  readonly authority: Authority
}

/**
 * Makes a federation of the cities that the shipped configuration knows, on loopback ports that were free a moment ago.
 * `edit` may change an agreement before it is signed. `database` gives a city's source where it is not the SQLite file.
 */
export async function makeFederation(
  folder: string,
  options: {
    readonly cities?: readonly string[]
    /** May add to the configuration before anything is made of it: another member, another agreement. */
    readonly prepare?: (config: string) => void
    readonly edit?: Edit
    readonly source?: (city: string) => string | undefined
    readonly logLevel?: string
    readonly signsWith?: (city: string) => Algorithm | undefined
  } = {},
): Promise<Federation> {
  const config = join(folder, 'federation-config')
  const certs = join(folder, 'certs')
  // Followed, where it is a link: a copied link would have all that is made here written into what it leads to.
  cpSync(join(home, 'federation-config'), config, { recursive: true, dereference: true })
  options.prepare?.(config)
  mkdirSync(join(certs, 'crls'), { recursive: true })
  const authority = await makeAuthority()
  writeFileSync(join(certs, 'root.pem'), authority.root)
  for (const { name, pem } of authority.crls) writeFileSync(join(certs, 'crls', name), pem)
  const all = jsonFiles(join(config, 'members')).map(file => file.replace('.json', ''))
  const ids = options.cities ?? all
  for (const id of all.filter(each => !ids.includes(each))) leave(config, id)
  const cities: DemoCity[] = []
  for (const id of ids) {
    const [outside, inside] = [await freePort(), await freePort()]
    const keys = join(folder, 'keys', id)
    const data = join(folder, 'data', id)
    mkdirSync(keys, { recursive: true, mode: 0o700 })
    mkdirSync(data, { recursive: true, mode: 0o700 })
    for (const use of ['signing', 'transport'] as const) {
      const { certificate, key } = await authority.issue(
        id,
        use,
        use === 'signing' ? options.signsWith?.(id) : undefined,
      )
      writeFileSync(join(certs, `${id}-${use}.pem`), certificate)
      writeFileSync(join(keys, `${use}.pem`), key, { mode: 0o600 })
    }
    writeFileSync(join(keys, 'log.pem'), newLogKey(), { mode: 0o600 })
    const encryption = newEncryptionKey()
    writeFileSync(join(keys, 'encryption.pem'), encryption.key, { mode: 0o600 })
    const member = editJson(join(config, 'members', `${id}.json`), member => {
      member['endpoint'] = `https://127.0.0.1:${outside}/`
      member['encryption'] = [encryption.jwk]
      member['certificates'] = { signing: [`${id}-signing.pem`], transport: [`${id}-transport.pem`] }
    })
    const filled = fillSources(data, join(home, 'demo', id))
    createLedger(join(data, 'ledger.sqlite'), id)
    const environment = {
      XINQIAO_CITY: id,
      XINQIAO_CONFIG: config,
      XINQIAO_CERTS: certs,
      XINQIAO_KEYS: keys,
      XINQIAO_DATA: data,
      XINQIAO_SOURCE: options.source?.(id) ?? filled,
      XINQIAO_PEERS_LISTEN: `127.0.0.1:${outside}`,
      XINQIAO_INSIDE_LISTEN: `127.0.0.1:${inside}`,
      XINQIAO_LOG_LEVEL: options.logLevel ?? 'warn',
    }
    const purposes = purposesOf(config)
    const departmentKey = issueKey(
      join(data, 'departments.json'),
      { id: 'demo', name: '演示部门', purposes, days: 30 },
      Date.now(),
    )
    const { name } = z.object({ name: z.object({ zh: z.string(), en: z.string() }) }).parse(member)
    cities.push({ id, name, environment, settings: readSettings(environment), departmentKey })
  }
  const office = { config, certs, keys: join(folder, 'keys', 'office') }
  mkdirSync(office.keys, { recursive: true, mode: 0o700 })
  const { certificate, key } = await authority.issue(OFFICE, 'statements')
  writeFileSync(join(certs, `${OFFICE}.pem`), certificate)
  writeFileSync(join(office.keys, 'office.pem'), key, { mode: 0o600 })
  await signRoll(office, 30, Date.now())
  const agree = (edit?: Edit) => signAll({ config, certs }, folder, ids, edit)
  await agree(options.edit)
  return {
    agree,
    folder,
    office,
    authority,
    cities,
    city: id => {
      const city = cities.find(each => each.id === id)
      if (city === undefined) throw new RangeError(`no city ${id}`)
      return city
    },
  }
}

/** Takes a city and its agreements out of a configuration. */
function leave(config: string, id: string): void {
  rmSync(join(config, 'members', `${id}.json`))
  const agreements = join(config, 'agreements')
  for (const file of jsonFiles(agreements)) {
    const { parties } = Parties.parse(JSON.parse(readFileSync(join(agreements, file), 'utf8')))
    if (parties.includes(id)) rmSync(join(agreements, file))
  }
}

const Parties = z.object({ parties: z.array(z.string()) })

function editJson(path: string, edit: (value: Record<string, unknown>) => void): Record<string, unknown> {
  const value = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')))
  edit(value)
  writeFileSync(path, formatted(value))
  return value
}

function purposesOf(config: string): string[] {
  const file = z.object({ codes: z.array(z.object({ code: z.string() })) })
  return file
    .parse(JSON.parse(readFileSync(join(config, 'vocabulary', 'purposes.json'), 'utf8')))
    .codes.map(({ code }) => code)
}

/** Has every party sign every agreement, as each would at home with `xinqiao agreement sign`. */
async function signAll(
  places: { readonly config: string; readonly certs: string },
  folder: string,
  ids: readonly string[],
  edit?: Edit,
) {
  const faults: Fault[] = []
  const members = await readMembers(places, Date.now, faults)
  const agreements = join(places.config, 'agreements')
  for (const name of readdirSync(agreements).filter(each => each.endsWith('.json'))) {
    if (edit !== undefined) editJson(join(agreements, name), edit)
    const text = readAgreement(readFileSync(join(agreements, name), 'utf8'), name, faults)
    for (const party of text?.parties.filter(each => ids.includes(each)) ?? []) {
      const [key] = members?.find(party)?.keys.values() ?? []
      if (text === undefined || key === undefined) continue
      const signer = signerOf(key, createPrivateKey(readFileSync(join(folder, 'keys', party, 'signing.pem'), 'utf8')))
      writeFileSync(join(agreements, `${text.id}.${party}.jws`), `${signAgreement(text, signer)}\n`)
    }
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
}

/** Makes a SQLite database of each of a city's sources from its readable files, and gives them as a setting. */
function fillSources(data: string, folder: string): string {
  const sources = Map.groupBy(existsSync(folder) ? readTables(folder) : [], ({ source }) => source)
  for (const [name, tables] of sources) fillSqlite(join(data, `${name}.sqlite`), tables)
  const url = (name: string) => `sqlite:${join(data, `${name}.sqlite`)}`
  const names = [...sources.keys()].filter(name => name !== 'city' || sources.size > 1)
  return names.length === 0 ? url('city') : names.map(name => `${name}=${url(name)}`).join(',')
}

/** Ports given out by this process: one that is free stays free only until somebody listens on it. */
const given = new Set<number>()

/**
 * A loopback port that is free now, below those that the system takes for outgoing connections (RFC 6335 section 6 leaves
 * them to whoever asks): between now and the gateway's start no connection of ours can have taken it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.once('error', () => resolve(false))
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  return promise
}

/**
 * TLS options of a caller who is this city, for the demo, the benchmark and tests: whom it calls is not checked, since the
 * address is one it was given a moment ago. A gateway's own calls check it (exchange/post.ts).
 */
export function callerTls({ transport }: Keys, { anchors }: Members) {
  return { ca: anchors.rootsPem, cert: transport.pem, key: transport.keyPem, checkServerIdentity: () => undefined }
}
