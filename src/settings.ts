/** The environment becomes one frozen `Settings`, or every fault in it is said at once; nothing else reads the environment. */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import type { ProviderSettings } from '#console/provider.ts'
import type { Role } from '#console/staff.ts'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { CityId, Code } from '#protocol/message.ts'

const Listen = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[^:]+):[0-9]{1,5}$/, 'is written host:port')
  .refine(text => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port is at most 65535')
  .transform(text => {
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
const folder = z.string().min(1)

const SQLITE = 'sqlite:'
/** The comma before the next name; one inside a URL (the hosts of a cluster) is no separator. */
const NEXT_SOURCE = /,(?=[^=,/:@?]+=[a-z]+:)/
const NAMED_SOURCE = /^([^=,/:]+)=(.*)$/s
const SourceName = z
  .string()
  .refine(name => Code.safeParse(name).success, 'a source is named as in the mapping, in small letters')
const Url = z
  .string()
  .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'is sqlite:PATH or postgres://…, or name=URL,name=URL')

/** Each source as it is written; a URL by itself is one, whatever stands in it. */
function eachSource(text: string): readonly string[] {
  return NAMED_SOURCE.test(text) ? text.split(NEXT_SOURCE) : [text]
}

/** What stands before and after the `=`; a URL by itself is the source `city`. */
function namedSource(text: string): { readonly name: string; readonly url: string } {
  const [, name = 'city', url = text] = NAMED_SOURCE.exec(text) ?? []
  return { name: name.trim(), url: url.trim() }
}

const Sources = z
  .string()
  .transform(text => eachSource(text).map(namedSource))
  .pipe(z.array(z.strictObject({ name: SourceName, url: Url })))
  .refine(each => new Set(each.map(({ name }) => name)).size === each.length, 'names a source twice')
  .transform((each): ReadonlyMap<string, string> => new Map(each.map(({ name, url }) => [name, url])))

/** An address without a path: scheme, host and port. */
const Origin = z
  .string()
  .refine(text => URL.canParse(text) && new URL(text).origin === text, 'is written https://host or https://host:port')
/** What only this machine overhears may go in clear. */
const isConfidentialUrl = (text: string) =>
  URL.canParse(text) && /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/])/.test(new URL(text).href)

/** `value=role,value=role`: the role follows the last `=`, since a directory's values may hold others. */
const StaffRoles = z
  .string()
  .transform(text => text.split(',').map(each => /^(?<value>.*[^\s])\s*=(?<role>[^=]*)$/s.exec(each.trim())?.groups))
  .pipe(z.array(z.object({ value: z.string(), role: z.enum(['viewer', 'auditor', 'operator']) })))
  .transform((each): ReadonlyMap<string, Role> => new Map(each.map(({ value, role }) => [value, role])))

/** Every variable, what it means, and what it is when absent. No variable relaxes a check. */
const Environment = z.strictObject({
  XINQIAO_CITY: CityId.describe('本市代码 id of this city, as in federation-config/members'),
  XINQIAO_CONFIG: folder.default('federation-config').describe('联盟配置目录 the folder federation-config'),
  XINQIAO_CERTS: folder.default('certs').describe('公开证书目录 the folder of public certificates'),
  XINQIAO_KEYS: folder.describe('私钥目录 the folder of our private keys, readable by us alone'),
  XINQIAO_KEYS_PASSPHRASE_FILE: folder
    .optional()
    .describe('私钥口令文件 a file with the passphrase of encrypted key files, readable by us alone'),
  XINQIAO_DATA: folder.describe('日志目录 the folder of the ledger, writable by us alone'),
  XINQIAO_LEDGER: z
    .string()
    .regex(/^postgres(ql)?:\/\/.+$/, 'is postgres://…')
    .optional()
    .describe('日志数据库 postgres://… where several gateways share one ledger; without it, a file in the folder'),
  XINQIAO_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(180)
    .describe('报文留存天数 days for which signed messages are kept; entries, digests and proofs stay for ever'),
  XINQIAO_SOURCE: Sources.describe(
    '本市数据表 where the city keeps its tables: sqlite:PATH or postgres://…; in several databases: name=URL,name=URL',
  ),
  XINQIAO_PEERS_LISTEN: Listen.default({ host: '0.0.0.0', port: 8443 }).describe('对外地址 where peer cities reach us'),
  XINQIAO_INSIDE_LISTEN: Listen.default({ host: '127.0.0.1', port: 8080 }).describe(
    '对内地址 where departments and operations reach us',
  ),
  XINQIAO_INSIDE_TLS: folder
    .optional()
    .describe('a folder with tls.pem and tls.key for the inside 对内证书; needed unless it listens on loopback'),
  XINQIAO_PROXY_CERTIFICATE: folder
    .optional()
    .describe('对外代理证书 the certificate of the one proxy that ends TLS before us; its caller is whom it names'),
  XINQIAO_PEER_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('等待对方城市的毫秒数 how long a peer may take'),
  XINQIAO_STAFF_ORIGIN: Origin.optional().describe(
    '工作台地址 the address that staff type in, https://host:port; passkeys and the provider need it. On loopback: http://localhost:PORT',
  ),
  XINQIAO_STAFF_ISSUER: z
    .string()
    .refine(isConfidentialUrl, 'is an https:// address')
    .optional()
    .describe('统一身份认证地址 the issuer of the city’s OpenID provider; without it staff sign in by local accounts'),
  XINQIAO_STAFF_CLIENT_ID: z.string().min(1).default('xinqiao').describe('客户端标识 our client id at the provider'),
  XINQIAO_STAFF_SECRET_FILE: folder
    .optional()
    .describe('客户端密钥文件 a file with the client’s secret, readable by us alone; without it the client is public'),
  XINQIAO_STAFF_SCOPE: z
    .string()
    .regex(/^(.* )?openid( .*)?$/, 'has openid in it')
    .default('openid profile')
    .describe('授权范围 the scopes asked for'),
  XINQIAO_STAFF_NAME_CLAIM: z
    .string()
    .min(1)
    .default('sub')
    .describe('姓名声明 the claim by which a person stands in the ledger: unique, never given to another'),
  XINQIAO_STAFF_ROLE_CLAIM: z.string().min(1).default('roles').describe('角色声明 the claim that holds the role'),
  XINQIAO_STAFF_ROLES: StaffRoles.optional().describe(
    '角色对应 which value is which role: VALUE=viewer,VALUE=auditor,VALUE=operator; needed with an issuer',
  ),
  XINQIAO_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('日志级别 what is logged: debug, info, warn, error or silent'),
})

type Listen = { readonly host: string; readonly port: number }

export type Settings = {
  readonly city: string
  readonly config: string
  readonly certs: string
  readonly keys: string
  readonly passphrase: string | undefined
  readonly data: string
  /** The place of the ledger: the path of a file, or a URL of PostgreSQL. */
  readonly ledger: string
  readonly retentionDays: number
  /** The URL of each database by the name under which the mapping's tables speak of it (`source`). */
  readonly sources: ReadonlyMap<string, string>
  readonly peersListen: Listen
  readonly insideListen: Listen
  readonly insideTls: string | undefined
  readonly proxyCertificate: string | undefined
  readonly peerTimeout: number
  /** How staff reach the console, and who vouches for them; without a provider, local accounts. */
  readonly staff: { readonly origin: string | undefined; readonly provider: ProviderSettings | undefined }
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/**
 * Takes the variables whose names begin with XINQIAO_. Throws ConfigurationError for a missing, misspelt or unknown one,
 * and for an inside surface that others on the network could overhear.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const ours = Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('XINQIAO_')))
  const parsed = Environment.safeParse(ours)
  if (!parsed.success) throw new ConfigurationError(parsed.error.issues.flatMap(faultsOf))
  const env = parsed.data
  const settings: Settings = {
    city: env.XINQIAO_CITY,
    config: env.XINQIAO_CONFIG,
    certs: env.XINQIAO_CERTS,
    keys: env.XINQIAO_KEYS,
    passphrase: env.XINQIAO_KEYS_PASSPHRASE_FILE,
    data: env.XINQIAO_DATA,
    retentionDays: env.XINQIAO_RETENTION_DAYS,
    ledger: env.XINQIAO_LEDGER ?? join(env.XINQIAO_DATA, 'ledger.sqlite'),
    sources: env.XINQIAO_SOURCE,
    peersListen: env.XINQIAO_PEERS_LISTEN,
    insideListen: env.XINQIAO_INSIDE_LISTEN,
    insideTls: env.XINQIAO_INSIDE_TLS,
    proxyCertificate: env.XINQIAO_PROXY_CERTIFICATE,
    peerTimeout: env.XINQIAO_PEER_TIMEOUT_MS,
    staff: staffOf(env),
    logLevel: env.XINQIAO_LOG_LEVEL,
  }
  const loopback = ['127.0.0.1', '::1', 'localhost'].includes(settings.insideListen.host)
  if (!loopback && settings.insideTls === undefined) {
    throw new ConfigurationError([
      {
        file: 'environment',
        path: 'XINQIAO_INSIDE_LISTEN',
        problem: 'department keys would cross the network in clear',
        remedy: 'Listen on 127.0.0.1, or name a folder with tls.pem and tls.key in XINQIAO_INSIDE_TLS',
      },
    ])
  }
  return Object.freeze(settings)
}

/** Throws ConfigurationError for a provider that lacks what it cannot be without. */
function staffOf(env: z.infer<typeof Environment>): Settings['staff'] {
  const { XINQIAO_INSIDE_LISTEN: listen, XINQIAO_STAFF_ISSUER: issuer, XINQIAO_STAFF_ROLES: roles } = env
  const isNear = ['127.0.0.1', '::1', 'localhost'].includes(listen.host) && env.XINQIAO_INSIDE_TLS === undefined
  const origin = env.XINQIAO_STAFF_ORIGIN ?? (isNear ? `http://localhost:${listen.port}` : undefined)
  if (issuer === undefined) return { origin, provider: undefined }
  if (origin === undefined || roles === undefined) {
    const lacking = [origin === undefined && 'XINQIAO_STAFF_ORIGIN', roles === undefined && 'XINQIAO_STAFF_ROLES']
    const problem = 'is needed with XINQIAO_STAFF_ISSUER'
    throw new ConfigurationError(
      lacking
        .filter(path => path !== false)
        .map(path => ({ file: 'environment', path, problem, remedy: remedyFor(path) })),
    )
  }
  const provider = {
    origin,
    issuer,
    clientId: env.XINQIAO_STAFF_CLIENT_ID,
    secretFile: env.XINQIAO_STAFF_SECRET_FILE,
    scope: env.XINQIAO_STAFF_SCOPE,
    nameClaim: env.XINQIAO_STAFF_NAME_CLAIM,
    roleClaim: env.XINQIAO_STAFF_ROLE_CLAIM,
    roles,
  }
  return { origin, provider }
}

/** What in a file of settings is a path. */
const paths = [
  'XINQIAO_CONFIG',
  'XINQIAO_CERTS',
  'XINQIAO_KEYS',
  'XINQIAO_KEYS_PASSPHRASE_FILE',
  'XINQIAO_DATA',
  'XINQIAO_INSIDE_TLS',
  'XINQIAO_PROXY_CERTIFICATE',
  'XINQIAO_STAFF_SECRET_FILE',
]

/**
 * The settings of a file, and from the environment what the file does not say. A relative path is taken from the folder of
 * the file, because `npm run` always starts in the repository; and the file wins, because an image brings defaults along.
 * Throws what `readSettings` throws, and where there is no such file.
 */
export function readSettingsFile(file: string): Settings {
  const at = (path: string) => resolve(dirname(file), path)
  const said: Record<string, string | undefined> = parseEnv(readFileSync(file, 'utf8'))
  for (const name of paths) {
    const path = said[name]
    if (path) said[name] = at(path)
  }
  const { XINQIAO_SOURCE: source } = said
  if (source !== undefined)
    said['XINQIAO_SOURCE'] = eachSource(source)
      .map(each => fileAt(each, at))
      .join(',')
  return readSettings({ ...process.env, ...said })
}

/** A source, named or not, with the path of its SQLite file made whole. */
function fileAt(source: string, at: (path: string) => string): string {
  const start = source.indexOf(SQLITE)
  const path = source.slice(start + SQLITE.length)
  const sqlite = start === 0 || NAMED_SOURCE.exec(source)?.[2]?.startsWith(SQLITE)
  return sqlite && path !== '' ? source.slice(0, start) + SQLITE + at(path) : source
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const names = issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0])]
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  const problem =
    issue.code === 'unrecognized_keys' ? 'there is no such variable' : missing ? 'is not set' : issue.message
  return names.map(path => ({ file: 'environment', path, problem, remedy: remedyFor(path) }))
}

function remedyFor(name: string): string {
  const shape: Readonly<Record<string, z.ZodType>> = Environment.shape
  const meaning = shape[name]?.description
  return meaning === undefined ? 'Correct the name, or remove it' : `Set it: ${meaning}`
}

/** Each variable with its meaning and what it is when absent, for the help text. */
export function describeSettings(): string {
  return Object.entries(Environment.shape)
    .map(([name, form]) => `  ${name.padEnd(30)}${form.description ?? ''}\n${' '.repeat(32)}${absent(form)}`)
    .join('\n')
}

/** What a variable is taken for when it is not set: the form itself says so. */
function absent(form: z.ZodType): string {
  const { success, data } = form.safeParse(undefined)
  if (!success) return '必填 required'
  if (data === undefined) return '可不填 optional'
  const listen = z.object({ host: z.string(), port: z.number() }).safeParse(data)
  return `默认 default ${listen.success ? `${listen.data.host}:${listen.data.port}` : data}`
}
