/** A city's OpenID provider, really running: its people, its keys, and a hand in what its token endpoint says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'
import { vi } from 'vitest'
import { z } from 'zod'
import { visitor } from './visitor.ts'

const Tokens = z.looseObject({ id_token: z.string() })

/** Gives another ID token in the place of the one that the provider made. */
export type Forge = (claims: JWTPayload, sign: (claims: JWTPayload) => Promise<string>) => Promise<string>

export type CityProvider = AsyncDisposable & {
  readonly issuer: string
  readonly secret: string
  /** A file with it, as the settings name one. */
  readonly secretFile: string
  /** Claims by login name. */
  readonly people: Map<string, Readonly<Record<string, unknown>>>
  forge: Forge | undefined
  /** Signs in there as a person would, from the address to which the console sent; gives the address to go back to. */
  walk(url: string, login: string): Promise<string>
}

/**
 * `callback` is called when the first request comes: where the console is to be gone back to. `host` is localhost or
 * 127.0.0.1, which a browser takes for two sites. With `idTokenHolds` the claims stand in the ID token itself.
 */
export async function openCityProvider(
  callback: () => string,
  { idTokenHolds = false, host = 'localhost' } = {},
): Promise<CityProvider> {
  const keys = await generateKeyPair('RS256', { extractable: true })
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`
  const secret = 'client secret of the console, 32+ bytes'
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-provider-'))
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 })
  const people: CityProvider['people'] = new Map()
  let provider: Provider | undefined
  const make = async () => {
    // It warns that its pages and its memory are those of a test, which they are.
    using _ = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const made = new Provider(issuer, {
      clients: [{ client_id: 'xinqiao', client_secret: secret, redirect_uris: [callback()], response_types: ['code'] }],
      jwks: { keys: [{ ...(await exportJWK(keys.privateKey)), alg: 'RS256', use: 'sig', kid: 'city' }] },
      cookies: { keys: ['of the test'] },
      conformIdTokenClaims: !idTokenHolds,
      claims: { openid: ['sub'], profile: ['roles', 'realm_access', 'number'] },
      findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
    })
    made.use(async (context, next) => {
      await next()
      const { data } = Tokens.safeParse(context.body)
      if (context.oidc?.route !== 'token' || data === undefined || found.forge === undefined) return
      const claims: JWTPayload = JSON.parse(Buffer.from(data.id_token.split('.')[1] ?? '', 'base64url').toString())
      const sign = (payload: JWTPayload) =>
        new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'city' }).sign(keys.privateKey)
      context.body = { ...data, id_token: await found.forge(claims, sign) }
    })
    return made
  }
  server.on('request', async (incoming, outgoing) => {
    provider ??= await make()
    await provider.callback()(incoming, outgoing)
  })
  const found: CityProvider = {
    issuer,
    secret,
    secretFile,
    people,
    forge: undefined,
    async walk(url, login) {
      const there = visitor(issuer)
      let { status, location, text } = await there.get(url)
      for (let step = 0; step < 12; step++) {
        if (location.startsWith(callback())) return location
        if (status === 200) {
          const [, action = ''] = /<form[^>]* action="([^"]+)"/.exec(text) ?? []
          const prompt = /name="prompt" value="([^"]+)"/.exec(text)?.[1] ?? ''
          ;({ status, location, text } = await there.post(action, { prompt, login, password: 'any' }))
        } else ({ status, location, text } = await there.get(location))
      }
      throw new Error(`the provider does not lead back: ${status} ${text.slice(0, 500)}`)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
  return found
}
