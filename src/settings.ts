/** The environment becomes one frozen `Settings`, or every fault in it is said at once; nothing else reads the environment. */
import { z } from 'zod'
import { ConfigurationError, type Fault } from '#protocol/fault.ts'
import { CityId } from '#protocol/message.ts'

const Listen = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[^:]+):[0-9]{1,5}$/, 'is written host:port')
  .refine(text => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port is at most 65535')
  .transform(text => {
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
const folder = z.string().min(1)

/** Every variable, what it means, and what it is when absent. No variable relaxes a check. */
const Environment = z.strictObject({
  XINQIAO_CITY: CityId.describe('id of this city, as in federation-config/members'),
  XINQIAO_CONFIG: folder.default('federation-config').describe('the folder federation-config'),
  XINQIAO_CERTS: folder.default('certs').describe('the folder of public certificates'),
  XINQIAO_KEYS: folder.describe('the folder of our private keys, readable by us alone'),
  XINQIAO_DATA: folder.describe('the folder of the ledger, writable by us alone'),
  XINQIAO_SOURCE: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'is sqlite:PATH or postgres://…')
    .describe('where the city keeps its tables'),
  XINQIAO_PEERS_LISTEN: Listen.default({ host: '0.0.0.0', port: 8443 }).describe('where peer cities reach us'),
  XINQIAO_INSIDE_LISTEN: Listen.default({ host: '127.0.0.1', port: 8080 }).describe(
    'where departments and operations reach us',
  ),
  XINQIAO_INSIDE_TLS: folder
    .optional()
    .describe('a folder with tls.pem and tls.key for the inside; needed unless it listens on loopback'),
  XINQIAO_PEER_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('how long a peer may take'),
  XINQIAO_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('what is logged'),
})

type Listen = { readonly host: string; readonly port: number }

export type Settings = {
  readonly city: string
  readonly config: string
  readonly certs: string
  readonly keys: string
  readonly data: string
  readonly source: string
  readonly peersListen: Listen
  readonly insideListen: Listen
  readonly insideTls: string | undefined
  readonly peerTimeout: number
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
    data: env.XINQIAO_DATA,
    source: env.XINQIAO_SOURCE,
    peersListen: env.XINQIAO_PEERS_LISTEN,
    insideListen: env.XINQIAO_INSIDE_LISTEN,
    insideTls: env.XINQIAO_INSIDE_TLS,
    peerTimeout: env.XINQIAO_PEER_TIMEOUT_MS,
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

/** Each variable with its meaning, for the help text. */
export function describeSettings(): string {
  return Object.entries(Environment.shape)
    .map(([name, form]) => `  ${name.padEnd(26)}${form.description ?? ''}`)
    .join('\n')
}
