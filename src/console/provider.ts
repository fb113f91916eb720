/** The city's OpenID provider says who somebody is, and nobody is believed whose way there and back does not close. */
import { createHmac } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  ClientSecretBasic,
  type Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { z } from 'zod'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError } from '#protocol/fault.ts'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import { BASE } from './desk.ts'
import { reaches } from './layout.ts'
import type { Proved } from './sessions.ts'
import type { Role } from './staff.ts'

/** What the settings say of the provider. */
export type ProviderSettings = {
  /** The address that staff type in, as an origin; the provider has to know `<origin>/console/sign-in/callback`. */
  readonly origin: string
  /** Its address, as its metadata and its tokens name it; https but on loopback. */
  readonly issuer: string
  readonly clientId: string
  /** A file with the client's secret, readable by us alone; without one the client is public and PKCE alone holds it. */
  readonly secretFile: string | undefined
  /** What is asked for, as OpenID scopes: `openid` and whatever makes the provider give the two claims. */
  readonly scope: string
  /** The claim by which a person stands in the ledger; never reused for another. */
  readonly nameClaim: string
  /** The claim with one value or several; a dot goes into an object (`realm_access.roles`). */
  readonly roleClaim: string
  readonly roles: ReadonlyMap<string, Role>
}

/** Goes to the provider and comes back with the browser, sealed. */
export const Flow = z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string(), back: z.string() })
type Flow = z.infer<typeof Flow>

/** Why somebody was not let in: the provider did not vouch, or it did and no role is meant for them. */
type NotProved = { readonly name: string | undefined; readonly why: string }

export type Provider = {
  readonly realm: string
  /** Where the browser goes, and what it keeps until it is back. Rejects where the provider cannot be reached. */
  begin(back: string): Promise<{ readonly url: string; readonly flow: Flow }>
  /** Takes the query with which the browser came back. Rejects for nothing but faults. */
  finish(query: string, flow: Flow): Promise<Proved | NotProved>
  /** Where one ends the provider's own session, if it has such a place and is known already. */
  signOutUrl(): Promise<string | undefined>
}

/** Seconds that the provider may take for each request, and that its clock may be off. */
const PATIENCE = 10
const CLOCKS = 10
/** Milliseconds after which the provider's metadata are asked for again. */
const KNOWN = 3_600_000

/**
 * `key` names people whose own name may not be written. Nothing is asked of the provider before the first sign-in. Throws
 * ConfigurationError where the client's secret cannot be read, or by others too.
 */
export function openProvider(settings: ProviderSettings, key: Buffer): Provider {
  const { origin, issuer, clientId, scope, nameClaim, roleClaim, roles } = settings
  const redirect = `${origin}${BASE}/sign-in/callback`
  const secret = settings.secretFile === undefined ? undefined : readSecret(settings.secretFile)
  const realm = digest({ issuer, clientId, nameClaim, roleClaim, roles: [...roles].sort() })
  let known: { readonly configuration: Promise<Configuration>; readonly until: number } | undefined

  const find = () => {
    const server = new URL(issuer)
    const isNear = ['localhost', '127.0.0.1', '[::1]'].includes(server.hostname)
    // A token that came over TLS need not be verified by OpenID Core 3.1.3.7; it is all the same.
    const execute = [
      enableNonRepudiationChecks,
      ...(isNear && server.protocol === 'http:' ? [allowInsecureRequests] : []),
    ]
    const authentication = secret === undefined ? None() : ClientSecretBasic(secret)
    return discovery(server, clientId, { [clockTolerance]: CLOCKS }, authentication, { execute, timeout: PATIENCE })
  }
  const configured = () => {
    if (known === undefined || known.until <= Date.now()) {
      const configuration = find()
      known = { configuration, until: Date.now() + KNOWN }
      configuration.catch(() => {
        known = undefined
      })
    }
    return known.configuration
  }

  return {
    realm,
    async begin(back) {
      const configuration = await configured()
      const flow = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier(), back }
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: redirect,
        scope,
        state: flow.state,
        nonce: flow.nonce,
        code_challenge: await calculatePKCECodeChallenge(flow.verifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, flow }
    },
    async finish(query, { state, nonce, verifier }) {
      const proved = await claimsOf(query, { state, nonce, verifier }).catch((cause: unknown) => ({ cause }))
      if ('cause' in proved) return { name: undefined, why: described(proved.cause) }
      const name = nameOf(proved[nameClaim])
      if (name === undefined) return { name, why: `the claim ${nameClaim} is missing` }
      const role = highest(valuesAt(proved, roleClaim), roles)
      if (role === undefined) return { name, why: `the claim ${roleClaim} names no role` }
      return { name, role, realm, epoch: '' }
    },
    signOutUrl: async () => {
      const configuration = await known?.configuration.catch(() => undefined)
      if (configuration?.serverMetadata().end_session_endpoint === undefined) return undefined
      return buildEndSessionUrl(configuration).href
    },
  }

  /** The claims of the ID token and, where it lacks one of the two, of the user's own page at the provider. */
  async function claimsOf(query: string, flow: Omit<Flow, 'back'>): Promise<Readonly<Record<string, unknown>>> {
    const configuration = await configured()
    const tokens = await authorizationCodeGrant(configuration, new URL(`${redirect}${query}`), {
      pkceCodeVerifier: flow.verifier,
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (claims === undefined) throw new Error('no ID token')
    const isWhole = claims[nameClaim] !== undefined && valuesAt(claims, roleClaim).length > 0
    if (isWhole || configuration.serverMetadata().userinfo_endpoint === undefined) return claims
    return { ...(await fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims }
  }

  /** A name that may stand in the ledger for ever. What had to be cut or masked ends with a mark of its own for each person. */
  function nameOf(claim: unknown): string | undefined {
    if (typeof claim !== 'string' && typeof claim !== 'number') return undefined
    const name = String(claim)
      .normalize('NFKC')
      .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
      .trim()
    if (name === '') return undefined
    const masked = maskPersonalNumbers(name)
    if (masked === name && name.length <= 64) return name
    return `${masked.slice(0, 64)}#${createHmac('sha256', key).update(name).digest('base64url').slice(0, 10)}`
  }
}

/** The texts at a path of a claim: one by itself, or a list. */
function valuesAt(claims: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  let value: unknown = claims[path]
  if (value === undefined) {
    value = claims
    for (const step of path.split('.')) value = z.record(z.string(), z.unknown()).safeParse(value).data?.[step]
  }
  return z.union([z.string().transform(one => [one]), z.array(z.string())]).safeParse(value).data ?? []
}

function highest(values: readonly string[], roles: ReadonlyMap<string, Role>): Role | undefined {
  const found = values.map(value => roles.get(value)).filter(role => role !== undefined)
  return found.reduce<Role | undefined>((best, role) => (best && reaches(best, role) ? best : role), undefined)
}

function readSecret(path: string): string {
  const fault = (problem: string, remedy: string) =>
    new ConfigurationError([{ file: 'environment', path: 'XINQIAO_STAFF_SECRET_FILE', problem, remedy }])
  const mode = statSync(path, { throwIfNoEntry: false })?.mode
  if (mode === undefined) throw fault('there is no such file', 'correct the name, or mount it')
  if ((mode & 0o077) !== 0) throw fault('others may read the client’s secret', `chmod 600 ${path}`)
  const [secret = ''] = readFileSync(path, 'utf8').split('\n', 1)
  if (secret === '') throw fault('its first line is empty', 'write the client’s secret there')
  return secret
}

/** What went wrong at the provider, for the log: without the claims and answers that its errors carry along, and may be persons'. */
export function described(error: unknown): string {
  const said: string[] = []
  for (let each = error; each instanceof Error && said.length < 4; each = each.cause) {
    // The code of RFC 6749 section 5.2: `invalid_client` is what a wrong secret comes to.
    said.push('error' in each && typeof each.error === 'string' ? `${each.message} (${each.error})` : each.message)
  }
  return maskPersonalNumbers(said.join(': ').slice(0, 500))
}
